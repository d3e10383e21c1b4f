# SPDX-License-Identifier: Apache-2.0
"""MRM (arXiv:2301.13155): hidden patches and hidden words of an image and its report.

    python launch/train.py --config=configs/mrm.py --workdir=runs/mrm
    python launch/train.py --config=configs/mrm.py:smoke --workdir=runs/mrm_smoke

The first is the paper's size: ViT-B/16 at 224 px that sees 49 of 196 patches, pixels predicted at 448 px, a BERT of
six layers of width 384, batches of 256, 200 epochs of the 217,000 frontal studies of a data set that you name
`mimic_cxr`; it was not run here. The second trains on two CPU cores on whole reports of site M of
the simulated cohort; its score in the 16-shot probe is not judged yet.
"""

from ml_collections import ConfigDict

from medst_jax.configs.parts import initial, reports


@initial.starts(image="mae_vit_b16_imagenet")
def get_config(arg: str | None = None) -> ConfigDict:
    config = reports.reports("mrm", size=224, text_length=100, batch_size=256, steps=170_000)
    del config.system.temperature
    config.data.size = 448  # the pixels to predict
    config.system.update(
        dict(
            visible=0.25,
            magnification=2,
            normalise=True,
            text_weight=1.0,
            decoder=dict(width=768, depth=4, heads=6, dtype="bfloat16"),
            mask=dict(rate=0.5, token=4, show="mask"),
        )
    )
    config.system.preprocess.update(dict(mean=0.4978, std=0.2449))
    # No flip, which the release has: reports name sides.
    config.system.augment = ConfigDict(dict(area=(0.2, 1.0)))
    config.system.image = ConfigDict(dict(name="vit_sincos_b16", dtype="bfloat16"))
    config.system.text = ConfigDict(
        dict(name="bert_base", width=384, depth=6, heads=6, mlp=1536, max_length=100)
    )
    config.system.text.update(dict(dtype="bfloat16"))
    config.optimizer.update(
        dict(
            learning_rate=1.5e-4,
            warmup_steps=34_000,
            b2=0.95,
            weight_decay=0.05,
            decay_mask="weights",
            clip_norm=0.0,
        )
    )
    # The sections that describe the image: what asks for it is no evidence of what it shows.
    for dataset in config.data.mixture.values():
        dataset.sentences = "all"
    if reports.small(config, arg):
        config.system.image = ConfigDict(dict(name="vit_sincos_small"))
        config.system.magnification = 1
        config.system.decoder = ConfigDict(dict(width=64, depth=1, heads=4))
    return config
