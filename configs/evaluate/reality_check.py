# SPDX-License-Identifier: Apache-2.0
"""The protocol of "A Reality Check of Vision-Language Pre-training in Radiology" on site E1.

    python launch/evaluate.py --checkpoint=WORKDIR --suite=configs/evaluate/reality_check.py --output=DIR

Zero-shot with three kinds of prompts and with label prototypes, base and new classes, the probe
with 1 to 16 shots and with all training images, and retrieval; about two minutes on two cores.

"new" classes are new only to a run that left their labels out:
`launch/train.py ... --config.data.drop_labels="('Pleural Effusion','Pneumothorax','Lung Lesion')"`.
"""

from ml_collections import ConfigDict

BASE = ("Atelectasis", "Cardiomegaly", "Consolidation", "Edema")
NEW = ("Pleural Effusion", "Pneumothorax", "Lung Lesion")


def get_config(arg: str | None = None) -> ConfigDict:
    """The suite; it has no variants."""
    if arg:
        raise ValueError(f"configs/evaluate/reality_check.py has no variant {arg!r}")
    enriched = dict(dataset="simulated_cxr_e1", split="enriched", classes=BASE + NEW)
    natural = dict(dataset="simulated_cxr_e1", split="test")
    zero_shot = dict(protocol="zero_shot", task=enriched)
    suite = ConfigDict()
    suite.draws = 2000
    suite.seed = 0
    suite.tasks = {
        "prototypes": dict(**zero_shot, mode="prototypes"),
        "names": dict(**zero_shot, mode="text", prompts="names"),
        "ensemble": dict(**zero_shot, mode="text", prompts="ensemble"),
        "descriptions": dict(**zero_shot, mode="text", prompts="descriptions"),
        "base new": dict(protocol="base_new", task=enriched, base=BASE, new=NEW, prompts="names"),
        "natural prevalence": dict(
            protocol="zero_shot",
            task=dict(**natural, classes=BASE + NEW, kind="multi"),
            prompts="names",
        ),
        "probe": dict(protocol="linear_probe", task=enriched, train=natural, fractions=(1.0,)),
        "probe of each finding": dict(
            protocol="linear_probe",
            task=dict(**enriched, kind="multi"),
            train=natural,
            shots=(16,),
            fractions=(1.0,),
        ),
        "retrieval of reports": dict(
            protocol="retrieval", dataset="simulated_cxr_m", split="test", limit=1000
        ),
        "retrieval by sentences": dict(
            protocol="retrieval",
            dataset="simulated_cxr_m",
            split="test",
            text="sentences",
            limit=1000,
        ),
    }
    return suite
