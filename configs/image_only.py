# SPDX-License-Identifier: Apache-2.0
"""Edema severity from graded images alone (the baseline of arXiv:2103.04537).

    python launch/train.py --config=configs/image_only.py --workdir=runs/image_only
    python launch/train.py --config=configs/image_only.py:smoke --workdir=runs/image_only_smoke

The first is the paper's net at 256 px, batch 64, on a data set that you name `mimic_cxr`; it was not
run here. The second takes about two minutes on one of two CPU cores, on site M of the simulated cohort (8,000 patients,
64 px), of which 3% of the reports are read for a grade. At a site that never trains (mean of three seeds) its head
scores a mean ordinal AUROC of 0.63 (random encoder 0.51, grades of other studies 0.48).
"""

from ml_collections import ConfigDict

from medst_jax.configs.parts import edema, initial

RESNET = dict(name="resnet_small", widths=(16, 32, 64, 128), stem_width=12)
MIXTURE = {"graded": edema.GRADED}


@initial.starts()
def get_config(arg: str | None = None) -> ConfigDict:
    config = edema.recipe("image_only", "grid_resnet256", 256, MIXTURE)
    edema.length(config, 64, 31_500)  # 300 epochs of the 6,710 graded studies
    config.optimizer.update(edema.image_recipe())
    return edema.without_text(edema.variant(config, arg, MIXTURE, RESNET, 300))
