# SPDX-License-Identifier: Apache-2.0
"""MGCA (arXiv:2210.06044) with a ViT-B/16: what its release trains by default, and BenchX compares.

    python launch/train.py --config=configs/mgca_vit.py --workdir=runs/mgca_vit
    python launch/train.py --config=configs/mgca_vit.py:smoke --workdir=runs/mgca_vit_smoke

As configs/mgca.py, from DeiT-B/16 at 224 px: the regions are the 196 patches, each of which weighs what the class token
attends to in the last layer. Not run here. The second trains a ViT of three layers on two CPU cores as
configs/mgca.py:smoke does; its balanced accuracy is not judged: small transformers learn little from this cohort.
"""

from ml_collections import ConfigDict

from medst_jax.configs import mgca
from medst_jax.configs.parts import initial


@initial.starts(image="deit_b16_imagenet", text="bio_clinical_bert", layers="first")
def get_config(arg: str | None = None) -> ConfigDict:
    config = mgca.get_config(arg)
    del config.system.stage  # patches have none
    config.system.image = ConfigDict(
        dict(name="vit_small") if arg else dict(name="vit_b16", dtype="bfloat16")
    )
    return config
