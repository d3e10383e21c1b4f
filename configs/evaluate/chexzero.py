# SPDX-License-Identifier: Apache-2.0
"""CheXzero's evaluation: CheXpert's test studies by pairs of prompts, five findings and all fourteen.

    python launch/evaluate.py --suite=configs/evaluate/chexzero.py --data_dir=data --dry_run
    python launch/evaluate.py --checkpoint=WORKDIR --suite=configs/evaluate/chexzero.py --data_dir=data --output=DIR \\
        --steps=45000,46000,47000,48000,49000,50000,51000,52000,53000,54000

With --steps the probabilities of those checkpoints are averaged: for the five findings those of the ten that are best on
the validation studies, for all fourteen of every one that is named. A finding's texts are its name and "no" before it. Thresholds of Matthews' correlation and F1 come from
CheXpert's validation studies.
"""

from typing import Any

from ml_collections import ConfigDict

from medst_jax.configs.evaluate.parts import designs, tables
from medst_jax.configs.evaluate.parts.words import FIVE

SOURCE = "Tiu, Talius, Patel et al., Nature Biomedical Engineering 6, 2022"
FOURTEEN = (
    *FIVE,
    "Enlarged Cardiomediastinum",
    "Fracture",
    "Lung Lesion",
    "Lung Opacity",
    "No Finding",
    "Pleural Other",
    "Pneumonia",
    "Pneumothorax",
    "Support Devices",
)
_NONE = (None,) * len(FIVE)
AREAS = {"CheXzero, ten checkpoints": (*_NONE, 0.889)}
CORRELATIONS = {
    "radiologists": (*_NONE, 0.530),
    "CheXzero, ten checkpoints": (*_NONE, 0.523),
}
DEPARTURES = (
    (
        "One checkpoint, or the probabilities of the ten with the highest validation AUROC of those that --steps "
        "names, as the paper averages them; all fourteen findings average every named checkpoint."
    ),
    (
        "Scores are differences of cosines, of several checkpoints the logarithm of the odds of their mean "
        "probability. That probability, the softmax of the two cosines, rises with them, so areas and thresholds "
        "that follow the scores are the same."
    ),
    (
        "The threshold of a finding is the score with the highest Matthews correlation on the validation studies, "
        "also for F1; the paper's spline over thresholds is left out."
    ),
    (
        "The published numbers are means over the five findings; those of each finding are not quoted, as the "
        "paper's own table could not be read."
    ),
)
NOT_OFFERED = (
    "PadChest: its suite would need the paper's list of findings with a physician's labels.",
    "Alternative names of findings, chosen on the validation studies.",
)


def _task(classes: tuple[str, ...]) -> dict[str, Any]:
    return dict(
        protocol="zero_shot",
        task=dict(dataset="chexpert", classes=classes, kind="multi"),
        mode="pairs",
        affirm="{}",
        deny="no {}",
    )


def _columns(metric: str, part: str) -> tuple[dict[str, Any], ...]:
    task = f"five findings{part}"
    of_each = [
        dict(name=name, task=task, metric=f"{metric}/{name}", scale=1.0, digits=3) for name in FIVE
    ]
    return (*of_each, dict(name="mean", mean_of=FIVE, digits=3))


def _table(title: str, caption: str, metric: str, part: str, values: dict[str, Any]) -> Any:
    return dict(
        title=title,
        source=SOURCE,
        caption=caption,
        columns=_columns(metric, part),
        rows=tables.rows(values),
    )


def get_config(arg: str | None = None) -> ConfigDict:
    """The suite; it has no variants."""
    if arg:
        raise ValueError(f"configs/evaluate/chexzero.py has no variant {arg!r}")
    suite = ConfigDict()
    suite.draws = 2000
    suite.seed = 0
    suite.tasks = {
        "five findings": {
            **_task(FIVE),
            "validation": dict(dataset="chexpert", split="val"),
            "best_checkpoints": 10,
        },
        "fourteen findings": _task(FOURTEEN),
    }
    suite.benchmark = dict(
        title="CheXzero: five findings of CheXpert's test studies",
        source=SOURCE,
        designs={
            "chexpert": dict(
                unit="study",
                views=designs.FIRST_FRONTAL,
                excluded="studies without a frontal image; nothing else",
                split="the released test studies, labelled by radiologists (test_labels.csv or groundtruth.csv)",
                thresholds="for Matthews' correlation and F1 the validation studies; none for areas",
            ),
        },
        tables=(
            _table("CheXpert test, AUROC", "Area under the ROC curve.", "auroc", "", AREAS),
            _table(
                "CheXpert test, Matthews' correlation",
                "At the thresholds of the validation studies.",
                "mcc",
                "/thresholds",
                CORRELATIONS,
            ),
        ),
        departures=DEPARTURES,
        not_offered=NOT_OFFERED,
    )
    return suite
