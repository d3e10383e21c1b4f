# SPDX-License-Identifier: Apache-2.0
"""BioViL-T (arXiv:2301.04558): images are read together with the patient's prior image.

    python launch/train.py --config=configs/biovil_t.py --workdir=runs/biovil_t
    python launch/train.py --config=configs/biovil_t.py:smoke --workdir=runs/biovil_t_smoke

The first is the paper's size (448 px, batch 240, 50 epochs of 175,000 studies, 45% of the words
hidden); no training code was released and the weights of the terms are declared, not quoted; it
was not run here. The second takes six minutes of one of two CPU cores, as configs/biovil.py:smoke; its balanced accuracy of
findings that have gone, stay or are new is 0.44 (another patient's prior 0.35, no prior 0.37), see docs/temporal_results.md.
"""

from ml_collections import ConfigDict

from medst_jax.configs import biovil_l
from medst_jax.configs.parts import initial


@initial.starts(image="resnet50_imagenet_v1", text="cxr_bert_general")
def get_config(arg: str | None = None) -> ConfigDict:
    config = biovil_l.get_config(arg)
    config.system.name = "biovil_t"
    config.system.mask.rate = 0.45
    config.system.pooler = ConfigDict(
        dict(width=256, depth=3, heads=8, dropout=0.1, path_rate=0.25)
    )
    if arg:
        config.system.pooler.update(dict(width=64, depth=1, heads=4, path_rate=0.1))
        config.system.image.strides = (2, 2, 2, 1)  # maps of 4 x 4
    else:
        config.system.preprocess.size = 448  # of 512, as configs/biovil.py
        config.train.update(dict(batch_size=240, steps=36_000))
        config.optimizer.warmup_steps = 1_100
    return config
