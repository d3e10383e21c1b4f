# SPDX-License-Identifier: Apache-2.0
"""Unimodal by the recipe of "A Reality Check of Vision-Language Pre-training in Radiology".

    python launch/train.py --config=configs/unimodal.py --workdir=runs/unimodal
    python launch/train.py --config=configs/unimodal.py:smoke --workdir=runs/unimodal_smoke

The first is the paper's size (ResNet-50, 224 px, batch 128, 30 epochs) on data sets
that you name `mimic_cxr` and `chexpert`; it was not run here. The second takes about a minute on
two CPU cores, on the simulated cohort (2,000 patients, 64 px), and reaches a balanced accuracy of
0.47 in zero-shot prototypes and 0.49 in the 16-shot probe (7 findings).
"""

from ml_collections import ConfigDict

from configs import common


def get_config(arg: str | None = None) -> ConfigDict:
    config = common.image_text("unimodal")
    del config.system.text
    config = common.variant(config, arg)
    for dataset in config.data.mixture.values():
        dataset.text = "none"
    return config
