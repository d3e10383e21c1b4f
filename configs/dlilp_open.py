# SPDX-License-Identifier: Apache-2.0
"""DLILP on four small open sets of real chest radiographs, to show that real files work.

Prepare each folder once, then train (the real sets: NIH subset, COVID notes, Hannover, Kermany):

    python launch/prepare.py --dataset=image_table --name=nih1000_64 --source_dir=... --data_dir=data
    (likewise covid_cxr_cc, mhh_covid, kermany_224)
    python launch/prepare.py --vocabulary=open --data_dir=data --vocabulary_size=600 \
        --datasets=nih1000_64,covid_cxr_cc,mhh_covid,kermany_224
    python launch/train.py --config=configs/dlilp_open.py --workdir=runs/dlilp_open

Variants after a colon: `without_kermany` keeps kermany's images but masks their labels,
`supervised` trains on kermany's labels alone, `tiny` runs a few steps. The mixture has four label
sets, of which some overlap, and 100 notes: it exercises unions, masks and prompts, and claims
nothing about text. About a minute and a half on two CPU cores; a linear probe on kermany then reaches 0.77 (0.77 without its labels)
balanced accuracy (`experiments/open_data.py`).
"""

from ml_collections import ConfigDict

from medst_jax.configs.parts import common
from medst_jax.data.mixture.data_options import DataSetOptions


def get_config(arg: str | None = None) -> ConfigDict:
    config = common.variant(common.contrastive("dlilp"), "smoke")
    # As many as these 2,600 images bear.
    config.train.steps = 300
    config.data.vocabulary = "open"
    config.data.mixture = common.mixture(
        nih1000_64=DataSetOptions(weight=4.0, text="prompt"),
        covid_cxr_cc=DataSetOptions(weight=1.0, text="report"),
        mhh_covid=DataSetOptions(weight=1.0, text="prompt"),
        kermany_224=DataSetOptions(weight=4.0, text="prompt"),
    )
    if arg == "without_kermany":
        config.data.mixture.kermany_224.update(text="none", lacks=("labels", "text"))
        config.data.drop_labels = ("Bacterial Pneumonia", "Viral Pneumonia")
    elif arg == "supervised":
        config.data.mixture = common.mixture(kermany_224=DataSetOptions(text="prompt"))
    elif arg == "tiny":
        config = common.variant(config, "tiny")
    elif arg:
        raise ValueError(
            f"unknown config variant {arg!r}; known: without_kermany, supervised, tiny"
        )
    return config
