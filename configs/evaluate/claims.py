# SPDX-License-Identifier: Apache-2.0
"""What counts as learning: judged by experiments/claims.py on a cohort that tuned nothing.

Metric and required controls were set after the first tuning runs on cohort seed 0 (among them CLIP
and one random encoder), before any shuffled control was run; first the metric was AUROC. Small variants
read one sentence of a whole report then, and CLIP failed; they read impressions since, which was tuned on
cohort seed 0 without a shuffled control.

Site E1, enriched split: images of a site that never trains, 7 findings of which exactly one is
present. A claim holds when the lower 95% bound of (system - control), by a paired bootstrap over
patients and averaged over training seeds, lies above MINIMAL_EFFECT; above zero is also reported.

Controls, each trained with the same steps and images:
  random   the same encoder with learning rate 0, for as many steps as its batch norm needs
  pairs    images with the texts of other studies
  labels   images with the labels of other studies
  both     both of these
  likeness the likeness of reports is that of other reports (SAT)
  convirt  ConVIRT's own runs

    python launch/prepare.py --dataset=simulated_cxr --sites=m,c --patients=8000 --size=64 --seed=SEED --data_dir=data
    python launch/prepare.py --dataset=simulated_cxr --sites=e1 --patients=4000 --size=64 --seed=SEED --data_dir=data
    python launch/prepare.py --vocabulary=simulated_cxr --datasets=simulated_cxr_m --vocabulary_size=1000 --data_dir=data
    python -m experiments.claims --data_dir=data --output=runs/claims --jobs=2

A control breaks only what it shuffles. With labels intact, "pairs" still trains the image encoder
of UniCL and DLILP; with pairs intact, "labels" still trains their text path. So a control is
required to lose only on tasks whose whole supervision it breaks; its difference on the others
says what the other source adds, and is reported as it comes out.
"""

import dataclasses
from collections.abc import Mapping

from ml_collections import ConfigDict

from medst_jax.configs.evaluate.smoke import CLASSES

MINIMAL_EFFECT = 0.03
# Of metrics on other scales. A pixel of the box has the higher value with probability Phi(contrast) if values are
# normal: near chance a contrast of 0.075 is an AUROC of 0.03.
MINIMAL_EFFECTS: Mapping[str, float] = {"signed_cnr": 0.075}
SEEDS = (0, 1, 2)
METRIC = "balanced_accuracy"  # over the 7 findings, chance 1/7: the reality check's "ACA"
ZERO_SHOT_TEXT, ZERO_SHOT_PROTOTYPES, PROBE = "zero-shot text", "zero-shot prototypes", "probe"
PROBE_16 = f"{PROBE}/16 shots"
MASKED_REPORT = "masked report"


@dataclasses.dataclass(frozen=True)
class Control:
    """How a control differs from the system.

    flags: of `launch/train.py`.
    system: another system, whose own runs are the control.
    tasks: in its place, other tasks of the system's own runs: task -> task.
    """

    flags: tuple[str, ...] = ()
    system: str = ""
    tasks: dict[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How a system of that name is trained, where that is not the config of its name alone.

    config: a file of configs.
    starts: encoder, "image" or "text", to the system from whose own run of the same seed it starts.
    flags: of `launch/train.py`.
    """

    config: str
    starts: Mapping[str, str] = dataclasses.field(default_factory=dict)
    flags: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Claim:
    """A system beats its controls; tasks are names in `predictions.npz`.

    required: control -> tasks on which it must lose.
    """

    required: dict[str, tuple[str, ...]]
    tasks: tuple[str, ...]

    @property
    def controls(self) -> tuple[str, ...]:
        """All controls of the claim."""
        return tuple(self.required)


# "random" is made by experiments/claims.py.
CONTROLS: dict[str, Control] = {
    **{
        shuffle: Control((f"--config.data.shuffle={shuffle}",))
        for shuffle in ("pairs", "labels", "both")
    },
    "likeness": Control(("--config.system.permute_likeness=true",)),
    "convirt": Control(system="convirt"),
}
# Of tasks that have another than METRIC.
METRICS: dict[str, str] = {MASKED_REPORT: "image_gain"}  # nats per hidden token
# As in the papers, text encoders start from a BERT of the field, where the small one is CXR-BERT's.
RECIPES: dict[str, Recipe] = {
    system: Recipe(system, {"text": "cxr_bert"})
    for system in ("carzero", "cxr_clip", "gloria", "m_flag", "mgca")
}

_TEXT = (ZERO_SHOT_TEXT, PROBE_16)
_LABELS = (ZERO_SHOT_PROTOTYPES, PROBE_16)
_ALL = (ZERO_SHOT_TEXT, ZERO_SHOT_PROTOTYPES, PROBE_16)

CLAIMS: dict[str, Claim] = {
    **{
        system: Claim({"random": _TEXT, "pairs": _TEXT}, _TEXT)
        for system in (
            "carzero",
            "chexzero",
            "clip",
            "convirt",
            "cxr_clip",
            "gloria",
            "lovt",
            "mgca",
        )
    },
    # Its text encoder never learns from images: zero-shot text is reported.
    "m_flag": Claim({"random": (PROBE_16,), "pairs": (PROBE_16,)}, _TEXT),
    # What the sorting of pairs adds is reported, not required.
    "sat": Claim({"random": _TEXT, "pairs": _TEXT, "likeness": (), "convirt": ()}, _TEXT),
    # Reports of other studies still let MRM restore images: what "pairs" breaks is the help for words.
    "mrm": Claim(
        {"random": (PROBE_16, MASKED_REPORT), "pairs": (MASKED_REPORT,)}, (PROBE_16, MASKED_REPORT)
    ),
    # MedCLIP's texts bring their own labels, whosever they are: pairs mean nothing to it.
    "medclip": Claim({"random": _TEXT, "labels": _TEXT}, _TEXT),
    # UniCL's text is trained by pairs and by labels alike: each alone still trains it.
    "unicl": Claim({"random": _TEXT, "both": _TEXT, "pairs": (), "labels": ()}, _TEXT),
    "unimodal": Claim({"random": _LABELS, "labels": _LABELS}, _LABELS),
    "dlilp": Claim(
        {
            "random": _ALL,
            "both": _ALL,
            "pairs": (ZERO_SHOT_TEXT,),
            "labels": (ZERO_SHOT_PROTOTYPES,),
        },
        _ALL,
    ),
}


def get_config(arg: str | None = None) -> ConfigDict:
    """The suite that measures every claim; it has no variants."""
    if arg:
        raise ValueError(f"configs/evaluate/claims.py has no variant {arg!r}")
    enriched = dict(dataset="simulated_cxr_e1", split="enriched", classes=CLASSES)
    suite = ConfigDict()
    suite.draws = 2000
    suite.seed = 0
    suite.tasks = {
        ZERO_SHOT_TEXT: dict(protocol="zero_shot", task=enriched, mode="text", prompts="names"),
        ZERO_SHOT_PROTOTYPES: dict(protocol="zero_shot", task=enriched, mode="prototypes"),
        PROBE: dict(
            protocol="linear_probe",
            task=enriched,
            train=dict(dataset="simulated_cxr_e1", split="test"),
            shots=(16,),
        ),
        # At the site whose reports are read: at E1 the words of reports differ too.
        MASKED_REPORT: dict(protocol="masked_report", dataset="simulated_cxr_m", split="test"),
    }
    return suite
