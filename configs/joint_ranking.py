# SPDX-License-Identifier: Apache-2.0
"""Joint image-text model with a ranking loss by edema severity (arXiv:2008.09884).

    python launch/train.py --config=configs/joint_ranking.py --workdir=runs/joint_ranking
    python launch/train.py --config=configs/joint_ranking.py:smoke --workdir=runs/joint_ranking_smoke \\
        --config.init.text=runs/cxr_bert_weights/text_encoder

The first is the paper's nets at 2048 px, batch 4, on a data set that you name `mimic_cxr`; it was not
run here. The second takes about five minutes on one of two CPU cores, on site M of the simulated cohort (8,000 patients,
64 px), of which 3% of the reports are read for a grade; its text encoder starts from an exported run of
configs/cxr_bert.py:smoke. At a site that never trains (mean of three seeds) its head scores a mean ordinal
AUROC of edema of 0.66 (random encoder 0.50, reports and grades of other studies 0.49).
"""

from ml_collections import ConfigDict

from medst_jax.configs.parts import edema, initial
from medst_jax.data.mixture.data_options import DataSetOptions

RESNET = dict(name="resnet_small", widths=(16, 32, 64, 128), stem_width=12)
# Semi-supervised in one run: ungraded studies train the ranking term alone.
MIXTURE = {
    "graded": DataSetOptions(only=("severity", "text"), sentences="all", weight=1.0),
    "ungraded": DataSetOptions(only=("text",), sentences="all", weight=3.0),
}


@initial.starts(text="scibert")
def get_config(arg: str | None = None) -> ConfigDict:
    config = edema.recipe("joint_ranking", "grid_resnet2048", 2048, MIXTURE)
    config.system.joint = 768
    # The release shifts images and does not turn them: by a Gaussian of 200 pixels, cut at 400, over
    # zeros. This has its deviation, is uniform, and repeats the border.
    config.system.augment.update(dict(rotate=0.0, translate=0.15))
    # 300 epochs of the 6,710 graded studies, of which a batch holds one. The release trains the ranking term alone for
    # 250 epochs before; here both kinds of studies share each batch.
    steps = 2_013_000
    edema.length(config, 4, steps)
    config.optimizer.update(edema.bert_recipe(steps))  # of the image net too
    return edema.variant(config, arg, MIXTURE, RESNET, 350)
