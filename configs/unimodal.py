# SPDX-License-Identifier: Apache-2.0
"""Unimodal by the recipe of "A Reality Check of Vision-Language Pre-training in Radiology".

    python launch/train.py --config=configs/unimodal.py --workdir=runs/unimodal
    python launch/train.py --config=configs/unimodal.py:smoke --workdir=runs/unimodal_smoke

The first is the paper's size (ResNet-50, 224 px, batch 128, 30 epochs) on MIMIC-CXR with
labels of its sentences and CheXpert with VisualCheXbert's, see docs/datasets.md; it was not run here. The second trains on
two CPU cores, on the simulated cohort (2,000 patients, 64 px). The 1,000 steps take
four minutes of one core at 4 steps a second. On version 2.1.0 of the cohort (mean of three seeds) it reaches a
balanced accuracy of 0.36 in zero-shot prototypes and 0.32 in the 16-shot probe (7 findings, chance 0.14).
"""

from ml_collections import ConfigDict

from medst_jax.configs.parts import common, initial


@initial.starts(image="resnet50_imagenet_v2")
def get_config(arg: str | None = None) -> ConfigDict:
    config = common.with_reality_check_data(common.image_text("unimodal"))
    del config.system.text
    config = common.variant(config, arg)
    for dataset in config.data.mixture.values():
        dataset.text = "none"
    return config
