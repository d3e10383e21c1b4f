# SPDX-License-Identifier: Apache-2.0
"""LoVT (arXiv:2112.02889): reports and images as wholes, and their sentences and regions.

    python launch/train.py --config=configs/lovt.py --workdir=runs/lovt
    python launch/train.py --config=configs/lovt.py:smoke --workdir=runs/lovt_smoke

The first is the release's size: ResNet-50 at 224 px, BERT-base of which embeddings and six layers stay as they
come, whole reports, batches of 512 (the release accumulates 16 of 32), on the 217,000 frontal studies of a data set that you name
`mimic_cxr`; its length (50 epochs) and schedule are declared, for the release stops by validation and its rate falls and
climbs by epochs; it was not run here. The second trains on two CPU cores on whole reports of site M of the simulated cohort; its
score in the 16-shot probe is not judged yet.
"""

from ml_collections import ConfigDict

from medst_jax.configs.parts import common, initial, reports


@initial.starts(image="resnet50_imagenet_v1", text="bio_clinical_bert")
def get_config(arg: str | None = None) -> ConfigDict:
    config = reports.reports("lovt", size=224, text_length=512, batch_size=512, steps=21_000)
    config.system.update(
        dict(
            joint=512,
            hidden=2048,
            heads=8,
            sentences=16,
            temperature=0.1,
            image_weight=0.75,
            local_temperature=0.3,
            local_weight=0.375,
        )
    )
    common.crop_at_random(config)
    # One batch of 512: the release accumulates 16 of 32, without negatives across them. It is encoded in one
    # part, for a training batch norm takes its statistics from what is encoded together.
    config.optimizer.update(
        dict(learning_rate=1e-4, warmup_steps=0, weight_decay=1e-6, clip_norm=0.0)
    )
    common.freeze_half_of_bert(config)
    if reports.small(config, arg):
        config.system.update(dict(hidden=64, heads=4))
        config.optimizer.learning_rates = config.optimizer.frozen_layers = ()
    return config
