# SPDX-License-Identifier: Apache-2.0
"""CLIP by the recipe of "A Reality Check of Vision-Language Pre-training in Radiology".

    python launch/train.py --config=configs/clip.py --workdir=runs/clip
    python launch/train.py --config=configs/clip.py:smoke --workdir=runs/clip_smoke

The first is the paper's size (ResNet-50, BERT-base, 224 px, batch 128, 30 epochs) on MIMIC-CXR with
labels of its sentences and CheXpert with VisualCheXbert's, see docs/datasets.md; it was not run here. The second trains on
two CPU cores, on the impressions of site M of the simulated cohort (8,000 patients, 64 px). The 1,000 steps take four
minutes of one core. At a site that never trains (mean of three seeds, version 2.2.0) it reaches a balanced accuracy
of 0.28 in zero-shot text and 0.31 in the 16-shot probe (7 findings, chance 0.14; texts of other studies 0.15 and
0.17): its claim holds, see docs/pairs.md.
"""

from ml_collections import ConfigDict

from medst_jax.configs.parts import common, initial


@initial.starts(image="resnet50_imagenet_v2", text="bio_clinical_bert")
def get_config(arg: str | None = None) -> ConfigDict:
    config = common.with_reality_check_data(common.contrastive("clip"))
    return common.reports_alone(common.variant(config, arg), arg)
