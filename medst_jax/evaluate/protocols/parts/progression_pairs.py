# SPDX-License-Identifier: Apache-2.0
"""Pairs of studies of a patient and how each finding changed between them."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from medst_jax.data.records import schema
from medst_jax.data.records.annotations import ImagePair
from medst_jax.data.records.timeline import NO_PRIOR, prior_rows
from medst_jax.evaluate.subjects.context import EvaluationContext

CLASSES = ("improving", "stable", "worsening")
CHANGED = ("unchanged", "changed")


@dataclasses.dataclass(frozen=True)
class ProgressionPairs:
    """Of one finding. rows, priors, patients: int [n]; targets: int [n] of `classes`.

    place: int [n], the row of each pair in the table that all findings share, which has `table` rows.
    """

    rows: np.ndarray
    priors: np.ndarray
    patients: np.ndarray
    targets: np.ndarray
    place: np.ndarray
    table: int
    classes: tuple[str, ...] = CLASSES

    @property
    def rarest(self) -> int:
        """Patients of the class that has fewest."""
        codes = range(len(self.classes))
        return min(len(np.unique(self.patients[self.targets == code])) for code in codes)

    def changed(self) -> "ProgressionPairs":
        """The same pairs of the classes `CHANGED`: in which direction is not asked."""
        targets = (self.targets != CLASSES.index("stable")).astype(np.int64)
        return dataclasses.replace(self, targets=targets, classes=CHANGED)


def annotated_pairs(
    context: EvaluationContext, dataset: str, split: str, findings: Sequence[str]
) -> dict[str, ProgressionPairs]:
    """By finding, the pairs that an annotation file (`image_pairs`) compares."""
    patient = np.asarray(context.data.studies(dataset, split).index.patient)
    records = context.data.annotations(dataset, ImagePair, split)
    pairs = list(records)
    rows = np.array([pair.row for pair in pairs], np.int64)
    priors = np.array([pair.prior_row for pair in pairs], np.int64)
    codes = np.array([pair.progression for pair in pairs], np.int8).reshape(len(pairs), -1)
    # Findings of a pair that differ in quality are records of their own, of one row of the table.
    lines: dict[tuple[int, int], int] = {}
    place = np.array([lines.setdefault((p.row, p.prior_row), len(lines)) for p in pairs], np.int64)
    by_finding = {}
    for name, column in _columns(records.labels, findings).items():
        at = np.flatnonzero(codes[:, column] != schema.BLANK)
        targets = codes[at, column].astype(np.int64) + 1
        by_finding[name] = ProgressionPairs(
            rows[at], priors[at], patient[rows[at]], targets, place[at], len(lines)
        )
    return by_finding


def labelled_pairs(
    context: EvaluationContext, dataset: str, split: str, findings: Sequence[str]
) -> dict[str, ProgressionPairs]:
    """By finding, frontal studies with an earlier one, by the labels of both.

    A finding that has gone is improving, one that stays is stable, a new one is worsening. Pairs
    without the finding in either study, and those with a label that is blank or uncertain, are
    left out. Any data set with labels and patients has such pairs.
    """
    studies = context.data.studies(dataset, split)
    index = studies.index
    patient, usable = np.asarray(index.patient), np.asarray(index.has_frontal)
    before = prior_rows(patient, usable)
    rows = np.flatnonzero((before != NO_PRIOR) & usable)
    priors = before[rows]
    by_finding = {}
    for name, column in _columns(studies.labels, findings).items():
        codes = np.stack([index.labels[priors, column], index.labels[rows, column]])
        stated = np.isin(codes, (schema.NEGATIVE, schema.POSITIVE)).all(0)
        at = np.flatnonzero(stated & (codes == schema.POSITIVE).any(0))
        had, has = codes[:, at].astype(np.int64) == schema.POSITIVE
        targets = has.astype(np.int64) - had + 1
        by_finding[name] = ProgressionPairs(
            rows[at], priors[at], patient[rows[at]], targets, at, len(rows)
        )
    return by_finding


def _columns(labels: Sequence[str], findings: Sequence[str]) -> dict[str, int]:
    known = {name.lower(): column for column, name in enumerate(labels)}
    return {name: known[name.lower()] for name in findings if name.lower() in known}
