# SPDX-License-Identifier: Apache-2.0
"""What counts as learning edema severity and mutual information.

Tasks, metrics and required controls were fixed before any of it was tuned. After tuning runs on cohort
seed 0, in which global information learned nothing from random weights, it was decided that systems
that read reports start from CXR-BERT, and how long each trains; no shuffled control had been run.

    python launch/prepare.py --dataset=simulated_cxr --sites=m --patients=8000 --size=64 --seed=SEED --data_dir=data
    python launch/prepare.py --dataset=simulated_cxr --sites=e1 --patients=2000 --size=64 --seed=SEED --data_dir=data
    python launch/prepare.py --vocabulary=simulated_cxr --datasets=simulated_cxr_m --vocabulary_size=1000 --data_dir=data
    python -m experiments.claims --claims=edema_claims --data_dir=data --output=runs/edema

Site M trains, of whose reports 3% have a mined grade; the graded images of site E1's split "test", of natural
severities, test, with their true grades (the enriched split's edema is never as mild as grade 1; it was judged there
on version 2). A claim holds when the lower 95% bound of (system - control), by a
paired bootstrap over patients and averaged over training seeds, lies above the minimal effect;
of pointing, above zero, which is also reported for all.

Tasks, each with its metric:
  head      severity by the system's own head; AUROC, mean of 0 v 123, 01 v 23 and 012 v 3
  probe     severity by logistic regression on frozen features of site M's graded images; the same
  findings  linear probe of each finding on frozen features, trained on E1's "test"; mean AUROC
  atypical  sentences whose finding lies where the mean training box of finding, side and zone
            misses: is the centre of a sentence's best region in a true box; share

Controls, trained with the same steps and images:
  random       the same encoder with learning rate 0
  labels       images with the grades of other studies
  pairs        images with the reports of other studies
  both         both of these
  graded_only  without images that have no grade
  image_only   the same residual net trained on the graded images alone
  location     the mean training box of the same finding, side and zone: words, no image
  other_patient  the same sentence on another patient's image
  centre       the centre of the image

As in the papers, systems that read reports start from a BERT of the field: CXR-BERT of the same seed,
trained on the same reports without an image; so do their controls. "<system>_mine" has the
Donsker-Varadhan bound in place of InfoNCE; "<system>_tuned" is `image_only` that starts from the image
encoder of <system>. Both are reported, nothing is required of them.
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
HEAD, PROBE, FINDINGS = "severity by head", "severity by probe", "findings/100%"
ATYPICAL = "grounding/atypical/map"
METRICS = {ATYPICAL: "pointing"}


def _maps(name: str) -> Control:
    return Control(tasks={ATYPICAL: f"grounding/atypical/{name}"})


_GRADED_ONLY = ("--config.data.mixture.ungraded.only=('severity',)",)
CONTROLS: dict[str, Control] = {
    **{
        shuffle: Control((f"--config.data.shuffle={shuffle}",))
        for shuffle in ("labels", "pairs", "both")
    },
    "graded_only": Control(_GRADED_ONLY),
    "image_only": Control(system="image_only"),
    **{name: _maps(name) for name in ("location", "other_patient", "centre")},
}
_READERS = ("mutual_information", "local_mutual_information", "joint_ranking")
_FORMS = ("mutual_information", "local_mutual_information")
_MINE = ("--config.system.estimator=dv",)
_TUNED = (*_FORMS, *(f"{form}_mine" for form in _FORMS))
RECIPES: dict[str, Recipe] = {
    **{system: Recipe(system, {"text": "cxr_bert"}) for system in _READERS},
    **{f"{form}_mine": Recipe(form, {"text": "cxr_bert"}, _MINE) for form in _FORMS},
    **{f"{system}_tuned": Recipe("image_only", {"image": system}) for system in _TUNED},
}
_OWN = (HEAD, PROBE, FINDINGS)
_FROZEN = (PROBE, FINDINGS)
_POINTING: dict[str, tuple[str, ...]] = {
    "location": (ATYPICAL,),
    "other_patient": (),
    "centre": (),
}

CLAIMS: dict[str, Claim] = {
    "image_only": Claim({"random": (HEAD,), "labels": (HEAD,)}, _OWN),
    "edema_vae": Claim({"random": (HEAD,), "labels": (HEAD,), "graded_only": ()}, _OWN),
    "joint_ranking": Claim({"random": (HEAD,), "both": (HEAD,), "image_only": ()}, _OWN),
    "mutual_information": Claim({"random": (PROBE,), "pairs": (PROBE,), "image_only": ()}, _FROZEN),
    "local_mutual_information": Claim(
        {"random": (PROBE,), "pairs": (PROBE,), "image_only": (), **_POINTING},
        (*_FROZEN, ATYPICAL),
    ),
    **{f"{form}_mine": Claim({"image_only": ()}, _FROZEN) for form in _FORMS},
    **{f"{system}_tuned": Claim({"image_only": ()}, (HEAD,)) for system in _TUNED},
}


def get_config(arg: str | None = None) -> ConfigDict:
    """The suite that measures every claim; it has no variants."""
    if arg:
        raise ValueError(f"configs/evaluate/edema_claims.py has no variant {arg!r}")
    graded = dict(dataset="simulated_cxr_e1", split="test")
    enriched = dict(dataset="simulated_cxr_e1", split="enriched")
    suite = ConfigDict()
    suite.draws = 2000
    suite.seed = 0
    suite.tasks = {
        HEAD: dict(protocol="severity", task=graded, by="head"),
        PROBE: dict(
            protocol="severity",
            task=graded,
            by="probe",
            train=dict(dataset="simulated_cxr_m", split="train"),
        ),
        "findings": dict(
            protocol="linear_probe",
            task=dict(**enriched, kind="multi"),
            train=dict(dataset="simulated_cxr_e1", split="test"),
            shots=(),
            fractions=(1.0,),
        ),
        "grounding": dict(
            protocol="phrase_grounding",
            dataset="simulated_cxr_e1",
            split="enriched",
            train_dataset="simulated_cxr_m",
        ),
    }
    return suite
