# SPDX-License-Identifier: Apache-2.0
"""UniCL by the recipe of "A Reality Check of Vision-Language Pre-training in Radiology".

    python launch/train.py --config=configs/unicl.py --workdir=runs/unicl
    python launch/train.py --config=configs/unicl.py:smoke --workdir=runs/unicl_smoke

The first is the paper's size (ResNet-50, BERT-base, 224 px, batch 128, 30 epochs) on data sets
that you name `mimic_cxr` and `chexpert`; it was not run here. The second trains on
two CPU cores, on the simulated cohort (2,000 patients, 64 px). On version 1.0.0 of the cohort, with
300 steps of about a minute in all (now 1,000 steps, not judged on version 2.1.0), it reached a balanced accuracy of
0.20 in zero-shot text and 0.32 in the 16-shot probe (7 findings).
"""

from ml_collections import ConfigDict

from configs import common


def get_config(arg: str | None = None) -> ConfigDict:
    config = common.contrastive("unicl")
    return common.variant(config, arg)
