# SPDX-License-Identifier: Apache-2.0
"""DLILP by the recipe of "A Reality Check of Vision-Language Pre-training in Radiology".

    python launch/train.py --config=configs/dlilp.py --workdir=runs/dlilp
    python launch/train.py --config=configs/dlilp.py:smoke --workdir=runs/dlilp_smoke

The first is the paper's size (ResNet-50, BERT-base, 224 px, batch 128, 30 epochs) on MIMIC-CXR with
labels of its sentences and CheXpert with VisualCheXbert's, see docs/datasets.md; it was not run here. The second trains on
two CPU cores, on the simulated cohort (2,000 patients, 64 px). The 1,000 steps take
four minutes of one core at 4 steps a second. With impressions of 8,000 patients, on version 2.2.0 of the cohort, one
training seed reaches a balanced accuracy of 0.34 in zero-shot prototypes and in the 16-shot probe, 0.31 in zero-shot
text; with single sentences of whole reports of 2,000 it was 0.36, 0.31, 0.31 (mean of three seeds; 7 findings, chance 0.14).
"""

from ml_collections import ConfigDict

from medst_jax.configs.parts import common, initial


@initial.starts(image="resnet50_imagenet_v2", text="bio_clinical_bert")
def get_config(arg: str | None = None) -> ConfigDict:
    config = common.with_reality_check_data(common.contrastive("dlilp"))
    return common.variant(config, arg)
