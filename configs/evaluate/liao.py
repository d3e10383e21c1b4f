# SPDX-License-Identifier: Apache-2.0
"""The tables of Liao et al. on MIMIC-CXR: edema severity and CheXpert findings, frozen and tuned.

    python launch/evaluate.py --suite=configs/evaluate/liao.py --data_dir=data --dry_run
    python launch/evaluate.py --checkpoint=WORKDIR --suite=configs/evaluate/liao.py --data_dir=data --output=DIR

"Frozen" is a probe on the features of an encoder as pre-trained. "Tuned" is a system with a severity
head, trained from that encoder (`configs/image_only.py`, docs/severity.md); of the findings, encoder and a
linear layer trained together here.
"""

from typing import Any

from ml_collections import ConfigDict

from medst_jax.configs.evaluate.parts import designs, tables

PAPER = "arXiv:2103.04537"
JOINT = "arXiv:2008.09884"
QUESTIONS = ("0 v 123", "01 v 23", "012 v 3")
PAIRS = ("0 v 1", "0 v 2", "0 v 3", "1 v 2", "1 v 3", "2 v 3")
# The nine findings of the paper, then the others of CheXpert's 14.
NINE = (
    "Atelectasis",
    "Cardiomegaly",
    "Consolidation",
    "Edema",
    "Lung Opacity",
    "Pleural Effusion",
    "Pneumonia",
    "Pneumothorax",
    "Support Devices",
)
OTHERS = ("Enlarged Cardiomediastinum", "Fracture", "Lung Lesion", "Pleural Other")
NO_FINDING = "No Finding"
SEVERITY_FROZEN = {
    "global MI, CPC": (0.81, 0.77, 0.93),
    "global MI, MINE": (0.83, 0.78, 0.89),
    "local MI, CPC": (0.77, 0.72, 0.75),
    "local MI, MINE": (0.76, 0.76, 0.86),
}
SEVERITY_TUNED = {
    "image only": (0.80, 0.71, 0.90),
    "global MI, CPC": (0.81, 0.79, 0.93),
    "global MI, MINE": (0.82, 0.81, 0.93),
    "local MI, CPC": (0.87, 0.83, 0.97),
    "local MI, MINE": (0.83, 0.85, 0.93),
}
FINDINGS_FROZEN = {
    "global MI, CPC": (0.65, 0.79, 0.67, 0.81, 0.69, 0.74, 0.71, 0.65, 0.70),
    "global MI, MINE": (0.63, 0.79, 0.65, 0.81, 0.68, 0.74, 0.70, 0.66, 0.68),
    "local MI, CPC": (0.74, 0.73, 0.65, 0.78, 0.66, 0.69, 0.61, 0.70, 0.72),
    "local MI, MINE": (0.61, 0.77, 0.65, 0.80, 0.69, 0.72, 0.66, 0.67, 0.74),
}
FINDINGS_TUNED = {
    "image only": (0.76, 0.71, 0.78, 0.89, 0.86, 0.69, 0.75, 0.65, 0.72),
    "global MI, CPC": (0.74, 0.81, 0.81, 0.87, 0.83, 0.90, 0.75, 0.75, 0.77),
    "global MI, MINE": (0.77, 0.81, 0.82, 0.88, 0.84, 0.90, 0.76, 0.77, 0.79),
    "local MI, CPC": (0.73, 0.82, 0.83, 0.89, 0.82, 0.92, 0.78, 0.79, 0.87),
    "local MI, MINE": (0.86, 0.84, 0.83, 0.89, 0.88, 0.92, 0.79, 0.76, 0.81),
}
TUNED_IMAGES = 20_000
DEPARTURES = (
    (
        "Edema: the cohort is all graded studies of MIMIC-CXR, not the visits with congestive heart failure; "
        "patients with a consensus grade are the test."
    ),
    (
        "Edema, frozen: a multinomial logistic regression on standardised features, not a layer trained by "
        "gradient descent."
    ),
    (
        "Findings: the test patients are the official ones of MIMIC-CXR; the paper adds those with a consensus "
        "grade and leaves out those of its edema training set."
    ),
    f"Findings, tuned: on {TUNED_IMAGES:,} training images, which are held in memory.",
    (
        "No Finding, which the labeler never denies, counts as absent where it is blank; of all other findings "
        "blank and uncertain labels count for nothing, as in the paper."
    ),
    "Pairs of grades: the joint model's paper shows a figure and no numbers.",
)


def _findings(classes: tuple[str, ...], blank: str, tuned: bool) -> dict[str, Any]:
    labels = dict(kind="multi", blank=blank)
    train: dict[str, Any] = dict(dataset="mimic_cxr_jpg", split="train", **labels)
    tuning: dict[str, Any] = dict(encoder="frozen", steps=2_000)
    if tuned:
        train["limit"] = TUNED_IMAGES
        tuning = dict(steps=2_000)
    return dict(
        protocol="fine_tune",
        task=dict(dataset="mimic_cxr_jpg", classes=classes, **labels),
        train=train,
        fractions=(1.0,),
        tuning=tuning,
    )


def _tasks() -> dict[str, Any]:
    graded = dict(dataset="mimic_edema", sources=("consensus",))
    tasks: dict[str, Any] = {
        "edema, frozen": dict(
            protocol="severity",
            task=graded,
            by="probe",
            train=dict(dataset="mimic_edema", split="train"),
        ),
        "edema, tuned": dict(protocol="severity", task=graded, by="head"),
    }
    for how in ("frozen", "tuned"):
        tuned = how == "tuned"
        tasks[f"findings, {how}"] = _findings((*NINE, *OTHERS), "unknown", tuned)
        tasks[f"no finding, {how}"] = _findings((NO_FINDING,), "negative", tuned)
    return tasks


def _column(name: str, task: str) -> dict[str, Any]:
    return dict(name=name, task=task, metric=f"auroc/{name}", scale=1.0)


def _tables() -> tuple[dict[str, Any], ...]:
    published = []
    for how, values in (("frozen", SEVERITY_FROZEN), ("tuned", SEVERITY_TUNED)):
        published.append(
            dict(
                title=f"Edema severity, {how}",
                source=PAPER,
                caption="AUROC of severity at least 1, 2, 3.",
                columns=tuple(_column(name, f"edema, {how}") for name in QUESTIONS),
                rows=tables.rows(values),
            )
        )
    for how in ("frozen", "tuned"):
        published.append(
            dict(
                title=f"Edema severity, pairs of grades, {how}",
                source=JOINT,
                caption="AUROC of the images of two grades; no numbers were published.",
                columns=tuple(_column(name, f"edema, {how}/pairwise") for name in PAIRS),
                rows=tables.rows({"joint model (a figure)": ()}, len(PAIRS)),
            )
        )
    for how, areas in (("frozen", FINDINGS_FROZEN), ("tuned", FINDINGS_TUNED)):
        named = [_column(name, f"findings, {how}/100%") for name in (*NINE, *OTHERS)]
        published.append(
            dict(
                title=f"CheXpert findings of MIMIC-CXR, {how}",
                source=PAPER,
                caption="AUROC; nine findings were published.",
                columns=(*named, _column(NO_FINDING, f"no finding, {how}/100%")),
                rows=tables.rows(areas, len(OTHERS) + 1),
            )
        )
    return tuple(published)


def get_config(arg: str | None = None) -> ConfigDict:
    """The suite; it has no variants."""
    if arg:
        raise ValueError(f"configs/evaluate/liao.py has no variant {arg!r}")
    suite = ConfigDict()
    suite.draws = 2000
    suite.seed = 0
    suite.tasks = _tasks()
    suite.benchmark = dict(
        title="Liao et al.: edema severity and findings after mutual information",
        source=f"Liao, Moyer et al., {PAPER}, MICCAI 2021; Chauhan, Liao et al., {JOINT}, MICCAI 2020",
        designs={
            "mimic_edema": dict(
                unit="image",
                views="none: the consensus is about one frontal image",
                excluded="training studies of the patients with a consensus grade",
                split="images with a consensus grade; a probe trains on 90% of the other graded patients, mined "
                "and experts' grades alike",
                thresholds=designs.NO_THRESHOLD,
            ),
            "mimic_cxr_jpg": dict(
                unit="study",
                views=designs.FIRST_FRONTAL,
                excluded="studies without a frontal image; of a finding, those where it is blank or uncertain, "
                "No Finding apart",
                split="the official test patients; training on the official training patients",
                thresholds=designs.NO_THRESHOLD,
            ),
        },
        tables=_tables(),
        departures=DEPARTURES,
    )
    return suite
