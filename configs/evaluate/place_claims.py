# SPDX-License-Identifier: Apache-2.0
"""What counts as learning where a finding is: fixed before any of it is tuned.

    python -m experiments.claims --claims=place_claims --data_dir=data --output=runs/places --jobs=2

The data are those of configs/evaluate/temporal_claims.py, and so is the rule: the lower 95% bound of (system -
control) lies above the minimal effect. On common places the mean box of a finding's name is hard to beat,
so that pointing cannot be shown there; split "atypical" holds findings that lie where their name rarely lies.
Whether the claim can be judged is measured first, by experiments/power.py; whether a system passes is
reported.

Tasks, each with its metric:
  findings  linear probe of each finding on frozen features, as in temporal_claims; AUROC
  places    phrases of site E1, split "atypical"; signed contrast-to-noise ratio, mean over findings
  missed    those of them that the mean training box misses; the same, reported

Controls:
  random         the same encoder with learning rate 0
  location       the mean training box of the same finding, side and zone: words, no image
  other_patient  the system's own runs, the same sentence on another patient's image
  biovil         BioViL, which has no local loss; reported
"""

from ml_collections import ConfigDict

from medst_jax.configs.evaluate.claims import (
    MINIMAL_EFFECT,
    MINIMAL_EFFECTS,
    SEEDS,
    Claim,
    Control,
    Recipe,
)

__all__ = [
    "CLAIMS",
    "CONTROLS",
    "METRIC",
    "METRICS",
    "MINIMAL_EFFECT",
    "MINIMAL_EFFECTS",
    "RECIPES",
    "SEEDS",
    "get_config",
]

METRIC = "auroc"
FINDINGS, PLACES, MISSED = "findings/100%", "places/map", "places/atypical/map"
METRICS = {PLACES: "signed_cnr", MISSED: "signed_cnr"}


def _own(kind: str) -> Control:
    """Another of the maps that are measured beside the system's own."""
    return Control(tasks={task: task.replace("map", kind) for task in (PLACES, MISSED)})


CONTROLS: dict[str, Control] = {
    **{kind: _own(kind) for kind in ("location", "other_patient")},
    "biovil": Control(system="biovil"),
}
_REQUIRED = {
    "random": (FINDINGS, PLACES),
    "location": (PLACES,),
    "other_patient": (PLACES,),
    "biovil": (),
}
CLAIMS: dict[str, Claim] = {
    system: Claim(_REQUIRED, (FINDINGS, PLACES, MISSED))
    for system in ("biovil_l", "lovt", "local_mutual_information")
}
RECIPES: dict[str, Recipe] = {
    system: Recipe(system, {"text": "cxr_bert"}) for system in (*CLAIMS, "biovil")
}


def get_config(arg: str | None = None) -> ConfigDict:
    """The suite that measures every claim; it has no variants."""
    if arg:
        raise ValueError(f"configs/evaluate/place_claims.py has no variant {arg!r}")
    suite = ConfigDict()
    suite.draws = 2000
    suite.seed = 0
    suite.tasks = {
        "findings": dict(
            protocol="linear_probe",
            task=dict(dataset="simulated_cxr_e1", split="enriched", kind="multi"),
            train=dict(dataset="simulated_cxr_e1", split="test"),
            shots=(),
            fractions=(1.0,),
        ),
        "places": dict(
            protocol="phrase_grounding",
            dataset="simulated_cxr_e1",
            split="atypical",
            train_dataset="simulated_cxr_m",
        ),
    }
    return suite
