# SPDX-License-Identifier: Apache-2.0
"""UniCL by the recipe of "A Reality Check of Vision-Language Pre-training in Radiology".

    python launch/train.py --config=configs/unicl.py --workdir=runs/unicl
    python launch/train.py --config=configs/unicl.py:smoke --workdir=runs/unicl_smoke

The first is the paper's size (ResNet-50, BERT-base, 224 px, batch 128, 30 epochs) on MIMIC-CXR with
labels of its sentences and CheXpert with VisualCheXbert's, see docs/datasets.md; it was not run here. The second trains on
one of two CPU cores, on the simulated cohort (64 px), in five to six minutes. With single sentences of whole reports
in place of impressions, on version 2.1.0 of the cohort (2,000 patients, mean of three seeds), it reached a balanced
accuracy over 7 findings of 0.21 in zero-shot text (random encoder 0.14) and 0.22 in the 16-shot probe (0.15).
"""

from ml_collections import ConfigDict

from medst_jax.configs.parts import common, initial


@initial.starts(image="resnet50_imagenet_v2", text="bio_clinical_bert")
def get_config(arg: str | None = None) -> ConfigDict:
    config = common.with_reality_check_data(common.contrastive("unicl"))
    return common.variant(config, arg)
