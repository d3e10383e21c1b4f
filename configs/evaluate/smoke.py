# SPDX-License-Identifier: Apache-2.0
"""The suite of the quick start: zero-shot, probe and retrieval on the simulated cohort.

    python launch/evaluate.py --checkpoint=WORKDIR --suite=configs/evaluate/smoke.py --output=DIR

Under a minute on two cores. Site E1 never trains and has another scanner and other prevalences.
"""

from ml_collections import ConfigDict

# Among these exactly one is present in half of the studies of the enriched split.
CLASSES = (
    "Atelectasis",
    "Cardiomegaly",
    "Consolidation",
    "Edema",
    "Pleural Effusion",
    "Pneumothorax",
    "Lung Lesion",
)


def get_config(arg: str | None = None) -> ConfigDict:
    """The suite; it has no variants."""
    if arg:
        raise ValueError(f"configs/evaluate/smoke.py has no variant {arg!r}")
    enriched = dict(dataset="simulated_cxr_e1", split="enriched", classes=CLASSES)
    suite = ConfigDict()
    suite.draws = 2000
    suite.seed = 0
    suite.tasks = {
        "zero-shot": dict(protocol="zero_shot", task=enriched, mode="auto", prompts="names"),
        "zero-shot text": dict(protocol="zero_shot", task=enriched, mode="text", prompts="names"),
        "findings": dict(
            protocol="zero_shot", task=dict(**enriched, kind="multi"), mode="auto", prompts="names"
        ),
        "probe": dict(
            protocol="linear_probe",
            task=enriched,
            train=dict(dataset="simulated_cxr_e1", split="test"),
        ),
        "retrieval": dict(
            protocol="retrieval",
            dataset="simulated_cxr_m",
            split="test",
            text="sentences",
            limit=500,
        ),
    }
    return suite
