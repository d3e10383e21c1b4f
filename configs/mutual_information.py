# SPDX-License-Identifier: Apache-2.0
"""Global mutual information of images and reports (arXiv:2103.04537).

    python launch/train.py --config=configs/mutual_information.py --workdir=runs/mutual_information
    python launch/train.py --config=configs/mutual_information.py:smoke --workdir=runs/mutual_information_smoke \\
        --config.init.text=runs/cxr_bert_weights/text_encoder

The first is the paper's nets at 256 px, batch 8, on a data set that you name `mimic_cxr`; it was not
run here. The second takes about four minutes on one of two CPU cores, on site M of the simulated cohort (8,000 patients,
64 px), of which 3% of the reports are read for a grade; its text encoder starts from an exported run of
configs/cxr_bert.py:smoke. At a site that never trains (mean of three seeds) a probe on its frozen encoder scores a mean ordinal
AUROC of edema of 0.61 (random encoder 0.51, reports of other studies 0.54) and 0.65 over findings (0.53, 0.56).
"""

from ml_collections import ConfigDict

from medst_jax.configs.parts import edema, initial
from medst_jax.data.mixture.data_options import DataSetOptions

RESNET = dict(name="resnet_small", widths=(16, 32, 64, 128), stem_width=12)
MIXTURE = {"reports": DataSetOptions(only=("text",), sentences="all")}


@initial.starts(text="clinical_bert_all_notes")
def get_config(arg: str | None = None) -> ConfigDict:
    config = edema.recipe("mutual_information", "grid_resnet256", 256, MIXTURE)
    steps = 2_712_500  # 100 epochs of 217,000 studies
    edema.length(config, 8, steps)
    config.optimizer.update(edema.image_recipe())
    config.optimizer.parts = edema.text_part(steps)
    config.system.estimator = "infonce"
    config.system.critic = ConfigDict(dict(name="mlp", hidden=(1024, 512)))
    config = edema.variant(config, arg, MIXTURE, RESNET, 350)
    del config.system.joint
    if arg:
        config.system.critic.update(dict(name="bilinear", rank=64))
    return config
