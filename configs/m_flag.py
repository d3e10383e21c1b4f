# SPDX-License-Identifier: Apache-2.0
"""M-FLAG (MICCAI 2023): an image encoder drawn to what a frozen text encoder says of its report.

    python launch/train.py --config=configs/m_flag.py --workdir=runs/m_flag
    python launch/train.py --config=configs/m_flag.py:smoke --workdir=runs/m_flag_smoke

The first is the release's size (ResNet-50, 224 px, 512 tokens, four devices of 512 in one batch, rate 2e-5, 50
epochs) on the 217,000 frontal studies of a data set that you name `mimic_cxr`; it was not run here. The second trains
on two CPU cores, on the impressions of site M of the simulated cohort; its frozen text encoder must be a trained
one, that of configs/cxr_bert.py:smoke by `--config.init.text`. Its score in the 16-shot probe is not judged yet.
"""

from ml_collections import ConfigDict

from medst_jax.configs.parts import initial, reports


@initial.starts(image="resnet50_imagenet_v1", text="cxr_bert_general")
def get_config(arg: str | None = None) -> ConfigDict:
    config = reports.reports("m_flag", size=224, text_length=512, batch_size=2_048, steps=5_300)
    reports.pad_and_crop(config)
    config.system.update(
        dict(joint=1024, hidden=2048, orthogonality_weight=1.0, off_diagonal_weight=0.0051)
    )
    # Impression and findings, in the words of the report.
    config.data.mixture.mimic_cxr.update(
        dict(sentences="all", sections=("impression", "findings"), order="sections")
    )
    # Down to 1e-8.
    config.optimizer.update(
        dict(learning_rate=2e-5, warmup_steps=0, end_fraction=5e-4, clip_norm=0.0)
    )
    if reports.small(config, arg):
        config.system.hidden = 64
        reports.small_impressions(config, steps=1_000)
        config.optimizer.clip_norm = 1.0
    del config.system["temperature"]
    return config
