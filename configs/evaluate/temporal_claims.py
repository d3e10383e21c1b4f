# SPDX-License-Identifier: Apache-2.0
"""What counts as learning from sequences, priors and words of change: fixed before any of it is tuned.

    python launch/prepare.py --dataset=simulated_cxr --sites=m --patients=8000 --size=64 --seed=SEED --data_dir=data
    python launch/prepare.py --dataset=simulated_cxr --sites=e1 --patients=4000 --size=64 --seed=SEED --data_dir=data
    python launch/prepare.py --vocabulary=simulated_cxr --datasets=simulated_cxr_m --vocabulary_size=1000 --data_dir=data
    python -m experiments.claims --claims=temporal_claims --data_dir=data --output=runs/temporal --jobs=2

Version 3 of the cohort has claims of its own: those of before could not be judged for faults of the test bench
(docs/temporal_results.md). Whether these can is measured first, by experiments/power.py under the thresholds of
configs/evaluate/gates.py, on a cohort that tunes nothing and judges nothing. Neither gate has been measured at the judged
size: until then nothing here may be judged. "sentences" is no claim, of 400 pairs of sentences: they see a difference of 0.08.

Site E1, whose images never train. A claim holds when the lower 95% bound of (system - control), by
a paired bootstrap over patients and averaged over training seeds, lies above the minimal effect;
above zero is also reported.

Tasks, each with its metric:
  findings       linear probe of each finding on frozen features, trained on E1's "test", judged on
                 its "enriched"; AUROC, mean over findings
  course         a finding that has gone, stays or is new, of successive studies of split "test":
                 10-fold cross-validated logistic regression on scaled frozen features of the
                 current and the prior image; macro accuracy, mean over findings, chance 1/3
  changed        the same of two classes: gone or new, and still there; chance 1/2. Med-ST's terms are the
                 same when time runs backwards, so that it is asked for this and not for the direction
  progression    better, unchanged or worse, of split "progression", by the same classifier; of one image
                 a part can be read, so the pair must gain over the current image and over the prior
  ... by SVM     course and progression by the published linear SVM, beside the others: reported
  sentences      pairs of sentences that describe the same or the opposite course; AUROC
  retrieval      which of the patient's own impressions belongs to which of the patient's images; share of
                 the others that score lower, chance 1/2
  grounding      phrases of split "enriched"; signed contrast-to-noise ratio, mean over findings. Atypical
                 places have claims of their own, configs/evaluate/place_claims.py

Controls, trained with the same steps and images:
  random          the same encoder with learning rate 0
  no_cycle        Med-ST without its temporal term
  within_patient  reports permuted within each patient
  windows         sequences filled with studies of different patients
  order           studies of each sequence shuffled; expected near zero, and reported
  pairs           images with the texts of other studies
  strange_prior   BioViL-T trained with the priors of other patients
  current, prior  the system's own runs, one image alone, under the same classifier
  other_prior     the system's own runs, tested with the prior of another patient
  no_prior        the system's own runs, tested without a prior

As in the papers, the text encoder starts from a BERT of the field: CXR-BERT of the same seed, trained on
the same reports without an image; so do those of the controls.
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

METRIC = "balanced_accuracy"
_TEMPORAL = ("course", "changed", "progression")
_SVM = {task: f"{task} by SVM" for task in ("course", "progression")}
FINDINGS, SENTENCES, MAP = "findings/100%", "sentences", "grounding/map"
COURSE, CHANGED, PAIR = (f"{task}/mean/pair" for task in _TEMPORAL)
COURSE_SVM, PAIR_SVM = (f"{task}/mean/pair" for task in _SVM.values())
TO_TEXT, TO_IMAGE = "retrieval/image to text", "retrieval/text to image"
METRICS = {
    FINDINGS: "auroc",
    SENTENCES: "auroc/same",
    TO_TEXT: "pairwise",
    TO_IMAGE: "pairwise",
    MAP: "signed_cnr",
}


def _own(kind: str) -> Control:
    """The system's own runs, its pairs read in another way."""
    tasks = (*_TEMPORAL, *_SVM.values())
    return Control(tasks={f"{task}/mean/pair": f"{task}/mean/{kind}" for task in tasks})


CONTROLS: dict[str, Control] = {
    "no_cycle": Control(("--config.system.temporal_weight=0.0",)),
    **{
        shuffle: Control((f"--config.data.shuffle={shuffle}",))
        for shuffle in ("within_patient", "windows", "order", "pairs")
    },
    "strange_prior": Control(("--config.data.shuffle=prior",)),
    **{kind: _own(kind) for kind in ("current", "prior", "other_prior", "no_prior")},
}

_WITHIN = (CHANGED, TO_TEXT, TO_IMAGE)
CLAIMS: dict[str, Claim] = {
    "biovil": Claim({"random": (FINDINGS, MAP), "pairs": (FINDINGS, MAP)}, (FINDINGS, MAP)),
    "biovil_t": Claim(
        {
            "random": (FINDINGS, PAIR, SENTENCES),
            "current": (PAIR,),
            "prior": (PAIR,),
            "other_prior": (PAIR,),
            "no_prior": (PAIR,),
            "strange_prior": (SENTENCES,),
        },
        (FINDINGS, PAIR, SENTENCES, COURSE, COURSE_SVM, PAIR_SVM),
    ),
    "medst": Claim(
        {
            "random": (FINDINGS, *_WITHIN),
            "no_cycle": _WITHIN,
            "within_patient": _WITHIN,
            "windows": _WITHIN,
            "order": (),
            "current": (),
            "prior": (),
        },
        (FINDINGS, *_WITHIN, COURSE, COURSE_SVM),
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
    natural = dict(dataset="simulated_cxr_e1", split="test")
    pairs = dict(protocol="temporal_classification")
    course = dict(**pairs, **natural, changes="labels")
    progression = dict(**pairs, dataset="simulated_cxr_e1", split="progression")
    suite.tasks = {
        "findings": dict(
            protocol="linear_probe",
            task=dict(**enriched, kind="multi"),
            train=natural,
            shots=(),
            fractions=(1.0,),
        ),
        "course": dict(**course, classifier="scaled"),
        "changed": dict(**course, classifier="scaled", asks="changed"),
        "progression": dict(**progression, classifier="scaled"),
        _SVM["course"]: dict(**course, classifier="svm"),
        _SVM["progression"]: dict(**progression, classifier="svm"),
        SENTENCES: dict(
            protocol="sentence_similarity", dataset="simulated_cxr_e1", subset="progression"
        ),
        "retrieval": dict(protocol="patient_retrieval", **natural, sections=("impression",)),
        "grounding": dict(
            protocol="phrase_grounding", **enriched, train_dataset="simulated_cxr_m", limit=1000
        ),
    }
    return suite
