# SPDX-License-Identifier: Apache-2.0
"""Semi-supervised variational autoencoder of edema (arXiv:1902.10785).

    python launch/train.py --config=configs/edema_vae.py --workdir=runs/edema_vae
    python launch/train.py --config=configs/edema_vae.py:smoke --workdir=runs/edema_vae_smoke

The first is our size (the paper gives none) at 256 px, batch 64, on a data set that you name `mimic_cxr`; it was not
run here. The second takes about five minutes on one of two CPU cores, on site M of the simulated cohort
(8,000 patients, 64 px), of which 3% of the reports are read for a grade; at a site that never trains
(mean of three seeds) its head scores a mean ordinal AUROC of 0.61 (random encoder 0.49, grades of other
studies 0.49, graded images alone 0.64).
"""

from ml_collections import ConfigDict

from medst_jax.configs.parts import edema, initial
from medst_jax.data.mixture.data_options import DataSetOptions

# A quarter of each batch is graded, whatever their share of the data.
MIXTURE = {
    "graded": DataSetOptions(only=("severity",), weight=1.0),
    "ungraded": DataSetOptions(weight=3.0),
}


@initial.starts()
def get_config(arg: str | None = None) -> ConfigDict:
    config = edema.recipe("edema_vae", "variational", 256, MIXTURE)
    config.system.image = ConfigDict(dict(name="variational"))
    # 300 epochs of the 6,710 graded studies, a quarter of each batch; length and rate are those of the image net alone.
    edema.length(config, 64, 126_000)
    config.optimizer.update(edema.image_recipe())
    small = dict(name="variational_small")
    return edema.without_text(edema.variant(config, arg, MIXTURE, small, 250))
