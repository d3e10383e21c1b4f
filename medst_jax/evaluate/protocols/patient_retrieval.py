# SPDX-License-Identifier: Apache-2.0
"""Which of a patient's own reports belongs to which of the patient's own images.

Among other patients' reports an image finds its own by whatever tells patients apart; within one
patient only what changed from study to study helps. This is what a forward mapping over a patient's
studies trains (arXiv:2405.19654), measured. Studies of a patient whose texts are equal are not
compared: no reader could tell them apart.
"""

import dataclasses

import numpy as np

from medst_jax.data.records.timeline import patient_slices
from medst_jax.evaluate.protocols.parts.report_texts import SECTIONS, report_sentences, same_text
from medst_jax.evaluate.statistics.outcome import NotApplicable, Outcome, Part
from medst_jax.evaluate.statistics.predictions import Predictions
from medst_jax.evaluate.subjects.context import EvaluationContext

METRICS = ("pairwise", "first", "chance of first")


@dataclasses.dataclass(frozen=True)
class PatientRetrievalOptions:
    """Options of `patient_retrieval`.

    Attributes:
      dataset, split: with patients of several studies that have a frontal image and a report.
      sections: of the report; those that the system was trained on, or its text is cut.
      limit: at most so many patients, the first ones; 0 for all.
    """

    dataset: str
    split: str = "test"
    sections: tuple[str, ...] = SECTIONS
    limit: int = 0


def patient_retrieval(options: PatientRetrievalOptions, context: EvaluationContext) -> Outcome:
    """Compare each study's own report, and its own image, with the patient's others.

    "pairwise" is the share of the others that score lower, ties half; "first" whether all do.

    Raises:
      NotApplicable: the system has no text encoder, or no patient has two different reports.
    """
    if not context.embedder.has_text:
        raise NotApplicable("this system has no text encoder; there is nothing to retrieve")
    rows, texts, patients = _patients_with_different_reports(options, context)
    images = context.embed(options.dataset, options.split, rows).global_
    vectors = context.embedder.texts(texts).global_
    numbers = [
        within(images[own] @ vectors[own].T, same_text(texts[own]))
        for own in patient_slices(patients)
    ]
    parts = []
    for k, name in enumerate(("image to text", "text to image")):
        values = np.concatenate([pair[k] for pair in numbers])
        parts.append(Part(name, Predictions.measured(patients, values, METRICS), rows))
    return Outcome(options.dataset, options.split, tuple(parts))


def within(scores: np.ndarray, same: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The METRICS of each row and of each column of one patient, both float32 [n, 3].

    Args:
      scores: [n, n], of images (rows) and texts (columns); a study's own on the diagonal.
      same: bool [n, n], studies with equal texts, which are not compared.

    Returns:
      NaN where a study has nothing to be compared with.

    >>> within(np.array([[2.0, 1.0], [3.0, 1.0]]), np.eye(2, dtype=bool))[0].tolist()
    [[1.0, 1.0, 0.5], [0.0, 0.0, 0.5]]
    """
    own, others = np.diagonal(scores)[:, None], ~same
    rows, columns = (_numbers(own, table, others) for table in (scores, scores.T))
    return rows, columns


def _numbers(own: np.ndarray, table: np.ndarray, others: np.ndarray) -> np.ndarray:
    count = others.sum(1)
    wins = np.where(others, (own > table) + 0.5 * (own == table), 0.0).sum(1)
    first = np.all(~others | (own > table), axis=1)
    numbers = np.stack([wins / np.maximum(count, 1), first, 1 / (1 + count)], axis=1)
    return np.where(count[:, None] > 0, numbers, np.nan).astype(np.float32)


def _patients_with_different_reports(
    options: PatientRetrievalOptions, context: EvaluationContext
) -> tuple[np.ndarray, list[str], np.ndarray]:
    """Rows, texts and patients of the studies of patients with two different reports."""
    studies = context.data.studies(options.dataset, options.split)
    frontal = np.flatnonzero(studies.index.has_frontal)
    people = np.asarray(studies.index.patient)
    rows: list[int] = []
    texts: list[str] = []
    chosen = 0
    for own in patient_slices(people[frontal]):
        reports = {
            int(row): " ".join(report_sentences(studies, int(row), options.sections))
            for row in frontal[own]
        }
        reports = {row: text for row, text in reports.items() if text}
        if not reports or same_text(list(reports.values())).all():
            continue
        rows += reports
        texts += reports.values()
        chosen += 1
        if chosen == options.limit:
            break
    if not rows:
        raise NotApplicable(
            f"no patient of {options.dataset}/{options.split} has two studies with a frontal image "
            f"and different texts in {options.sections}"
        )
    return np.array(rows, np.int64), texts, people[rows]
