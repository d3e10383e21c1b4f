# SPDX-License-Identifier: Apache-2.0
"""What counts as learning from views, sequences, priors and words: fixed before any of it is tuned.

    python launch/prepare.py --dataset=simulated_cxr --sites=m --patients=8000 --size=64 --seed=SEED --data_dir=data
    python launch/prepare.py --dataset=simulated_cxr --sites=e1 --patients=4000 --size=64 --seed=SEED --data_dir=data
    python launch/prepare.py --vocabulary=simulated_cxr --datasets=simulated_cxr_m --vocabulary_size=1000 --data_dir=data
    python -m experiments.claims --claims=temporal_claims --data_dir=data --output=runs/temporal --jobs=2

Later than the rest, "findings" was added before the last round of tuning: what these systems learn at all was not asked. "course"
was to be changes of severity as large as they come; a supervised net and one BioViL read none of them on the
tuning seed (0.350 and 0.360, another patient's prior 0.340 and 0.347), and it became what it is. Both were fixed before anything was judged.

Site E1, whose images never train. A claim holds when the lower 95% bound of (system - control), by
a paired bootstrap over patients and averaged over training seeds, lies above the minimal effect;
above zero is also reported.

Tasks, each with its metric:
  findings       linear probe of each finding on frozen features, trained on E1's "test", judged on
                 its "enriched"; AUROC, mean over findings
  course         a finding that has gone, stays or is new, of successive studies of split "test":
                 10-fold cross-validated logistic regression on scaled frozen features of the
                 current and the prior image; macro accuracy, mean over findings, chance 1/3. One
                 image tells a part, so only a difference from the same with another prior counts
  progression    the same on split "progression", of changes of severity that one image does not
                 tell: small ones; by the published linear SVM
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

from medst_jax.configs.evaluate.claims import MINIMAL_EFFECT, SEEDS, Claim, Control, Recipe

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
_COURSE, _PROGRESSION, _GROUNDING = "course", "progression", "grounding"
FINDINGS, SENTENCES = "findings/100%", "sentences"
COURSE, PAIR = f"{_COURSE}/mean/pair", f"{_PROGRESSION}/mean/pair"
MAP, ATYPICAL = f"{_GROUNDING}/map", f"{_GROUNDING}/atypical/map"
METRICS = {
    FINDINGS: "auroc",
    SENTENCES: "auroc/same",
    MAP: "signed_cnr",
    ATYPICAL: "signed_cnr",
}


def _prior(name: str) -> Control:
    """The system's own runs with another prior at test time."""
    return Control(tasks={f"{t}/mean/pair": f"{t}/mean/{name}" for t in (_COURSE, _PROGRESSION)})


CONTROLS: dict[str, Control] = {
    "no_cycle": Control(("--config.system.temporal_weight=0.0",)),
    **{
        shuffle: Control((f"--config.data.shuffle={shuffle}",))
        for shuffle in ("within_patient", "windows", "order", "pairs")
    },
    **{name: _prior(name) for name in ("other_prior", "no_prior")},
    "biovil": Control(system="biovil"),
    "location": Control(
        tasks={MAP: f"{_GROUNDING}/location", ATYPICAL: f"{_GROUNDING}/atypical/location"}
    ),
}

CLAIMS: dict[str, Claim] = {
    "biovil": Claim({"random": (FINDINGS, MAP), "pairs": (FINDINGS, MAP)}, (FINDINGS, MAP)),
    "biovil_l": Claim(
        {"random": (FINDINGS,), "biovil": (MAP,), "location": (ATYPICAL,)},
        (FINDINGS, MAP, ATYPICAL),
    ),
    "biovil_t": Claim(
        {
            "random": (FINDINGS, COURSE),
            "other_prior": (COURSE, PAIR),
            "no_prior": (COURSE, PAIR),
        },
        (FINDINGS, COURSE, PAIR),
    ),
    "medst": Claim(
        {
            "random": (FINDINGS, COURSE, PAIR, SENTENCES),
            "no_cycle": (PAIR, SENTENCES),
            "within_patient": (PAIR, SENTENCES),
            "windows": (PAIR, SENTENCES),
            "order": (),
        },
        (FINDINGS, COURSE, PAIR, SENTENCES),
    ),
}
RECIPES: dict[str, Recipe] = {system: Recipe(system, {"text": "cxr_bert"}) for system in CLAIMS}


def get_config(arg: str | None = None) -> ConfigDict:
    """The suite that measures every claim; it has no variants."""
    if arg:
        raise ValueError(f"configs/evaluate/temporal_claims.py has no variant {arg!r}")
    suite = ConfigDict()
    suite.draws = 2000
    suite.seed = 0
    enriched = dict(dataset="simulated_cxr_e1", split="enriched")
    suite.tasks = {
        "findings": dict(
            protocol="linear_probe",
            task=dict(**enriched, kind="multi"),
            train=dict(dataset="simulated_cxr_e1", split="test"),
            shots=(),
            fractions=(1.0,),
        ),
        _COURSE: dict(
            protocol="temporal_classification",
            dataset="simulated_cxr_e1",
            split="test",
            changes="labels",
            classifier="scaled",
        ),
        _PROGRESSION: dict(
            protocol="temporal_classification", dataset="simulated_cxr_e1", split="progression"
        ),
        SENTENCES: dict(
            protocol="sentence_similarity", dataset="simulated_cxr_e1", subset="progression"
        ),
        _GROUNDING: dict(
            protocol="phrase_grounding",
            **enriched,
            train_dataset="simulated_cxr_m",
            limit=1000,
        ),
    }
    return suite
