# SPDX-License-Identifier: Apache-2.0
"""What counts as learning for systems that ask images about findings: MedKLIP and KAD.

Written before any of their runs was judged. Site E1, enriched split, as in configs/evaluate/claims.py;
a claim holds when the lower 95% bound of (system - control) lies above MINIMAL_EFFECT.

    python -m experiments.claims --claims=query_claims --data_dir=data --output=runs/query_claims

The data are those of configs/evaluate/claims.py, and `prepare --dataset=simulated_knowledge`.

Tasks:
  by entity      7 findings of which exactly one is present, asked by name in the recorded list
  findings       each of them, present or not; AUROC
  probe          16 images a finding
  new findings   12 findings of site E2 that no training query names, asked as texts beside the list
  grounding      phrases of split "enriched"; whether the highest region lies in the box

Controls, trained with the same steps and images:
  random         learning rate 0
  pairs          images with the entities and texts of other studies
  places         entities with the places that they have in other studies
  other_patient  the system's own runs, on another patient's image
  location       the mean training box of the finding, side and zone: reported
  definitions    stage one with definitions permuted among findings
"""

from ml_collections import ConfigDict

from medst_jax.configs.evaluate import reality_check
from medst_jax.configs.evaluate.claims import Claim, Control, Recipe
from medst_jax.configs.evaluate.smoke import CLASSES

MINIMAL_EFFECT = 0.03
MINIMAL_EFFECTS: dict[str, float] = {}
SEEDS = (0, 1, 2)
METRIC = "balanced_accuracy"
BY_ENTITY, FINDINGS, NEW = "by entity", "findings", "new findings"
PROBE_16, _GROUNDING = "probe/16 shots", "grounding"
MAP = f"{_GROUNDING}/map"
METRICS = {FINDINGS: "auroc", NEW: "auroc", MAP: "pointing"}


def _shuffled(shuffle: str) -> Control:
    return Control((f"--config.data.shuffle={shuffle}",))


def _own(part: str) -> Control:
    """The system's own runs, another of their maps."""
    return Control(tasks={MAP: f"{_GROUNDING}/{part}"})


# "random" is made by experiments/claims.py.
CONTROLS: dict[str, Control] = {
    "pairs": _shuffled("pairs"),
    "places": _shuffled("places"),
    "other_patient": _own("other_patient"),
    "location": _own("location"),
    "definitions": Control(system="kad_of_other_definitions"),
}
_STAGE_ONE = "kad_knowledge"
_PERMUTED = "kad_knowledge_permuted"
RECIPES: dict[str, Recipe] = {
    "medklip": Recipe("medklip", {"text": "cxr_bert"}),
    "kad": Recipe("kad", {"text": _STAGE_ONE, "heads": _STAGE_ONE}),
    "kad_of_other_definitions": Recipe("kad", {"text": _PERMUTED, "heads": _PERMUTED}),
    _PERMUTED: Recipe(_STAGE_ONE, flags=("--config.data.shuffle=definitions",)),
}

_ALL = (BY_ENTITY, FINDINGS, PROBE_16)
CLAIMS: dict[str, Claim] = {
    "medklip": Claim(
        {"random": _ALL, "pairs": _ALL, "places": (MAP,), "other_patient": (MAP,), "location": ()},
        (*_ALL, MAP),
    ),
    "kad": Claim({"random": _ALL, "pairs": _ALL, "definitions": (NEW,)}, (*_ALL, NEW)),
}


def get_config(arg: str | None = None) -> ConfigDict:
    """The suite that measures every claim; it has no variants."""
    if arg:
        raise ValueError(f"configs/evaluate/query_claims.py has no variant {arg!r}")
    enriched = dict(dataset="simulated_cxr_e1", split="enriched", classes=CLASSES)
    suite = ConfigDict()
    suite.draws = 2000
    suite.seed = 0
    suite.tasks = {
        BY_ENTITY: dict(protocol="zero_shot", task=enriched, mode="prototypes"),
        FINDINGS: dict(
            protocol="zero_shot", task=dict(**enriched, kind="multi"), mode="prototypes"
        ),
        NEW: reality_check.get_config().tasks["outside the labels"].to_dict(),
        "probe": dict(
            protocol="linear_probe",
            task=enriched,
            train=dict(dataset="simulated_cxr_e1", split="test"),
            shots=(16,),
        ),
        # Of a system with a joint space too: both ways of asking.
        "names, cosine": dict(
            protocol="zero_shot", task=enriched, mode="text", prompts="names", similarity="cosine"
        ),
        "names, asked": dict(protocol="zero_shot", task=enriched, mode="text", prompts="names"),
        _GROUNDING: dict(
            protocol="phrase_grounding",
            dataset="simulated_cxr_e1",
            split="enriched",
            train_dataset="simulated_cxr_m",
            limit=1000,
        ),
    }
    return suite
