# SPDX-License-Identifier: Apache-2.0
"""KAD (arXiv:2302.14042): questions in the names of findings, to the image and to its report.

    python launch/prepare.py --entities=mimic_cxr --data_dir=data
    python launch/train.py --config=configs/kad.py --workdir=runs/kad \\
        --config.init.text=EXPORT/text_encoder --config.init.heads=EXPORT/heads.safetensors
    python launch/train.py --config=configs/kad.py:smoke --workdir=runs/kad_smoke

The first is the release's size at 224 px (ResNet-50 up to its third stage, 14 x 14 regions, four
decoder layers of width 768, batch 64, rate 5e-5, 100 epochs with 20 of warm-up) on the 217,000 frontal
studies of a data set that you name `mimic_cxr`; it was not run here. EXPORT is `launch/export.py` of
configs/kad_knowledge.py. The fourth stage of the ResNet comes with ImageNet's weights and is left as
it is. The release warms up by epochs, draws from RandAugment and flips; a flip is wrong where reports
name sides. The second trains on two CPU cores on the reports of site M of the simulated cohort (64 px,
13 entities). It is judged by its balanced accuracy over 7 findings, asked by entity.
"""

from ml_collections import ConfigDict, config_dict

from medst_jax.configs.parts import initial, queries


@initial.starts(image="resnet50_imagenet_v1", vocabulary="bio_clinical_bert")
def get_config(arg: str | None = None) -> ConfigDict:
    config = queries.queries("kad", width=768, batch_size=64, steps=339_000)
    config.system.update(
        dict(
            stage=-2,
            hidden=768,
            blank="mask",
            text_weight=1.0,
            contrast_weight=1.0,
            loss_form="dense",
            loss_chunk=config_dict.placeholder(int),
        )
    )
    config.data.text_length = 256
    config.optimizer.update(
        dict(
            learning_rate=5e-5,
            warmup_steps=67_800,
            warmup_start=0.2,
            end_fraction=0.02,
            weight_decay=0.02,
        )
    )
    queries.small(config, arg)
    config.system.decoder.shared_norm = True
    for dataset in config.data.mixture.values():
        dataset.update(dict(text="entities", sentences="one"))
    del config.system.joint
    return config
