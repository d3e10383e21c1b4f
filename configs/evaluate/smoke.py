# SPDX-License-Identifier: Apache-2.0
"""The suite of the quick start: every protocol on the simulated cohort, in about a minute.

    python launch/evaluate.py --checkpoint=WORKDIR --suite=configs/evaluate/smoke.py --output=DIR
"""

from ml_collections import ConfigDict

CLASSES = ("Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Pleural Effusion")


def get_config(arg: str | None = None) -> ConfigDict:
    """The suite; `arg` is not used."""
    del arg
    enriched = dict(dataset="simulated_cxr_e1", split="enriched")
    single = dict(**enriched, classes=CLASSES)
    every = dict(**enriched, kind="multi")
    suite = ConfigDict()
    suite.draws = 2000
    suite.seed = 0
    suite.tasks = {
        "zero_shot": dict(protocol="zero_shot", task=single, mode="auto", prompts="names"),
        "zero_shot_text": dict(protocol="zero_shot", task=single, mode="text", prompts="names"),
        "zero_shot_findings": dict(protocol="zero_shot", task=every, mode="auto", prompts="names"),
        "probe": dict(
            protocol="linear_probe",
            task=single,
            train=dict(dataset="simulated_cxr_e1", split="test"),
        ),
        "retrieval": dict(
            protocol="retrieval", dataset="simulated_cxr_m", split="test", text="sentences", limit=500
        ),
    }
    return suite
