# SPDX-License-Identifier: Apache-2.0
"""What counts as learning from views, sequences, priors and words: fixed before any of it is tuned.

    python benchmarks/claims.py --claims=temporal_claims --data_dir=data --output=runs/temporal

Site E1, whose images never train. A claim holds when the lower 95% bound of (system - control), by
a paired bootstrap over patients and averaged over training seeds, lies above the minimal effect;
above zero is also reported.

Tasks, each with its metric:
  progression    split "progression": 10-fold cross-validated linear SVM on frozen features of the
                 current and the prior image; macro accuracy, mean over findings, chance 1/3
  sentences      pairs of sentences that describe the same or the opposite course; AUROC
  grounding      phrases of split "enriched"; signed contrast-to-noise ratio, mean over findings
  atypical       the same, of phrases that the mean training box of finding, side and zone misses

Controls, trained with the same steps and images:
  random          the same encoder with learning rate 0
  no_cycle        Med-ST without its temporal term
  within_patient  reports permuted within each patient
  windows         sequences filled with studies of different patients
  order           studies of each sequence shuffled; expected near zero, and reported
  pairs           images with the texts of other studies
  other_prior     the system's own runs, tested with the prior of another patient
  no_prior        the system's own runs, tested without a prior
  biovil          BioViL, which has no local loss
  location        the mean training box of the same finding, side and zone: words, no image

As in the papers, the text encoder starts from a BERT of the field: CXR-BERT of the same seed, trained on
the same reports without an image; so do those of the controls.
"""

from ml_collections import ConfigDict

from configs.evaluate.claims import MINIMAL_EFFECT, SEEDS, Claim, Control, Recipe

__all__ = [
    "CLAIMS",
    "CONTROLS",
    "METRIC",
    "METRICS",
    "MINIMAL_EFFECT",
    "RECIPES",
    "SEEDS",
    "get_config",
]

METRIC = "balanced_accuracy"
_PROGRESSION, _GROUNDING = "progression", "grounding"
PAIR, SENTENCES = f"{_PROGRESSION}/mean/pair", "sentences"
MAP, ATYPICAL = f"{_GROUNDING}/map", f"{_GROUNDING}/atypical/map"
METRICS = {SENTENCES: "auroc/same", MAP: "signed_cnr", ATYPICAL: "signed_cnr"}

CONTROLS: dict[str, Control] = {
    "no_cycle": Control(("--config.system.temporal_weight=0.0",)),
    **{
        shuffle: Control((f"--config.data.shuffle={shuffle}",))
        for shuffle in ("within_patient", "windows", "order", "pairs")
    },
    "other_prior": Control(tasks={PAIR: f"{_PROGRESSION}/mean/other_prior"}),
    "no_prior": Control(tasks={PAIR: f"{_PROGRESSION}/mean/no_prior"}),
    "biovil": Control(system="biovil"),
    "location": Control(
        tasks={MAP: f"{_GROUNDING}/location", ATYPICAL: f"{_GROUNDING}/atypical/location"}
    ),
}

CLAIMS: dict[str, Claim] = {
    "medst": Claim(
        {
            "random": (PAIR, SENTENCES),
            "no_cycle": (PAIR, SENTENCES),
            "within_patient": (PAIR, SENTENCES),
            "windows": (PAIR, SENTENCES),
            "order": (),
        },
        (PAIR, SENTENCES),
    ),
    "biovil_t": Claim({"other_prior": (PAIR,), "no_prior": (PAIR,)}, (PAIR,)),
    "biovil_l": Claim({"biovil": (MAP,), "location": (ATYPICAL,)}, (MAP, ATYPICAL)),
    "biovil": Claim({"random": (MAP,), "pairs": (MAP,)}, (MAP,)),
}
RECIPES: dict[str, Recipe] = {system: Recipe(system, {"text": "cxr_bert"}) for system in CLAIMS}


def get_config(arg: str | None = None) -> ConfigDict:
    """The suite that measures every claim; it has no variants."""
    if arg:
        raise ValueError(f"configs/evaluate/temporal_claims.py has no variant {arg!r}")
    suite = ConfigDict()
    suite.draws = 2000
    suite.seed = 0
    suite.tasks = {
        _PROGRESSION: dict(
            protocol="temporal_classification", dataset="simulated_cxr_e1", split="progression"
        ),
        SENTENCES: dict(
            protocol="sentence_similarity", dataset="simulated_cxr_e1", subset="progression"
        ),
        _GROUNDING: dict(
            protocol="phrase_grounding",
            dataset="simulated_cxr_e1",
            split="enriched",
            train_dataset="simulated_cxr_m",
            limit=1000,
        ),
    }
    return suite
