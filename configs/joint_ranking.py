# SPDX-License-Identifier: Apache-2.0
"""Joint image-text model with a ranking loss by edema severity (arXiv:2008.09884).

    python launch/train.py --config=configs/joint_ranking.py --workdir=runs/joint_ranking
    python launch/train.py --config=configs/joint_ranking.py:smoke --workdir=runs/joint_ranking_smoke

The first is the paper's nets at 2048 px, batch 4, on a data set that you name `mimic_cxr`; it was not
run here. The second takes about three minutes on two CPU cores, on site M of the simulated cohort
(2,000 patients, 64 px), of which 3% of the reports are read for a grade; its score was not judged yet.
"""

from ml_collections import ConfigDict

from configs import edema_common as edema
from medst_jax.data.data_options import DataSetOptions

RESNET = dict(name="resnet_small", widths=(16, 32, 64, 128), stem_width=12)
# Semi-supervised in one run: ungraded studies train the ranking term alone.
MIXTURE = {
    "graded": DataSetOptions(only=("severity", "text"), sentences="all", weight=1.0),
    "ungraded": DataSetOptions(only=("text",), sentences="all", weight=3.0),
}


def get_config(arg: str | None = None) -> ConfigDict:
    config = edema.recipe("joint_ranking", "grid_resnet2048", 2048, MIXTURE)
    config.system.joint = 768
    config.train.batch_size = 4
    config.optimizer.learning_rate = 2e-5
    return edema.variant(config, arg, MIXTURE, RESNET, 350)
