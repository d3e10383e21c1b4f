# SPDX-License-Identifier: Apache-2.0
"""The suite of the fixture: one task, and a reality check of one training."""

from ml_collections import ConfigDict

CLASSES = ("Cardiomegaly", "Edema", "Pleural Effusion")
SETS = ("simulated_cxr_m", "simulated_cxr_c")


def get_config(arg: str | None = None) -> ConfigDict:
    suite = ConfigDict(dict(draws=20, seed=0))
    task = dict(dataset="simulated_cxr_e1", split="enriched", classes=CLASSES, kind="multi")
    suite.tasks = {"findings": dict(protocol="zero_shot", task=task, mode="prototypes")}
    suite.cells = dict(
        systems=("dlilp",),
        mixtures={"M+C": SETS},
        seeds=(0,),
        variant="tiny",
        columns={"findings": "auroc"},
        controls={"the same": dict(system="dlilp", mixture="M+C")},
        reference="the same",
    )
    return suite
