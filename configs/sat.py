# SPDX-License-Identifier: Apache-2.0
"""SAT (IEEE TMI 2023): images and whole reports, pairs sorted by how alike the reports are.

    python launch/train.py --config=configs/sat.py --workdir=runs/sat
    python launch/train.py --config=configs/sat.py:smoke --workdir=runs/sat_smoke

The first is the release's size (ResNet-50, BERT-base of which embeddings and six layers stay as they come, 224 px, 512
tokens, 200 epochs) on the 217,000 frontal studies of a data set that you name `mimic_cxr`; its eight
devices of 32 without exchange are one batch of 256 here; it was not run here. Its limits .98 and .97 are of
Bio_ClinicalBERT; `python -m experiments.report_likeness --config=configs/sat.py` tells which ones give which shares of
pairs. The second trains on two CPU cores, on the impressions of site M of the simulated cohort; there the likeness is
that of the texts' labels, whose limits suit every seed; its score in zero-shot text is not judged yet.
"""

from ml_collections import ConfigDict

from medst_jax.configs.parts import common, initial
from medst_jax.data.mixture.data_options import DataSetOptions


@initial.starts(image="resnet50_imagenet_v1", text="bio_clinical_bert")
def get_config(arg: str | None = None) -> ConfigDict:
    config = common.contrastive("sat")
    del config.system["negatives"]
    config.system.update(
        dict(
            temperature=0.1,
            image_weight=0.5,
            hidden=0,
            high=0.98,
            low=0.97,
            likeness="text",
            permute_likeness=False,
        )
    )
    # ImageNet's statistics of grey.
    config.system.preprocess.update(dict(mean=0.449, std=0.226))
    # No flip, which the release has: reports name sides.
    config.system.augment = ConfigDict(dict(area=(0.8, 1.0)))
    config.data.update(dict(size=256, text_length=512))
    config.data.mixture = common.mixture(mimic_cxr=DataSetOptions(only=("text",), sentences="all"))
    config.train.update(dict(batch_size=256, steps=169_600, checkpoint_every=2_000))
    # 20 epochs of warm-up, by steps; the release raises its rate by epochs, the first of which runs at 0.
    config.optimizer.update(
        dict(
            learning_rate=4e-4,
            eps=1e-6,
            warmup_steps=16_960,
            warmup_start=0.0,
            weight_decay=1e-6,
            decay_mask="weights",
            clip_norm=0.25,
        )
    )
    common.freeze_half_of_bert(config)
    common.reports_alone(common.variant(config, arg), arg)
    if arg:
        config.system.update(dict(hidden=64, likeness="labels", high=0.9, low=0.5))
        config.optimizer.learning_rates = ()
        config.optimizer.clip_norm = 1.0
    return config
