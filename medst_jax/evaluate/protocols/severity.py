# SPDX-License-Identifier: Apache-2.0
"""Edema severity 0 to 3 from images: by the system's own head, or by a probe on its features.

Protocol of Chauhan et al. (arXiv:2008.09884) and Liao et al. (arXiv:2103.04537): from the four
probabilities, AUROC of severity >= 1, 2, 3 ("0 v 123", "01 v 23", "012 v 3"), AUROC of each
pair of grades by p_b / (p_a + p_b) on the images of these two grades, and the squared error of
the expected severity. Beside them, how often a change between two graded studies of a patient is
predicted in the right direction.
"""

import dataclasses
from typing import Literal

import numpy as np

from medst_jax.evaluate.fitting.logistic_regression import fit_probe
from medst_jax.evaluate.protocols.parts.severity_head import HEAD_LABELS, from_cumulative
from medst_jax.evaluate.protocols.parts.trajectories import trajectories
from medst_jax.evaluate.statistics.outcome import DerivedMetric, NotApplicable, Outcome, Part
from medst_jax.evaluate.statistics.predictions import Predictions
from medst_jax.evaluate.subjects.context import EvaluationContext

LEVELS = 4
QUESTIONS = ("0 v 123", "01 v 23", "012 v 3")
PAIRS = tuple((a, b) for a in range(LEVELS) for b in range(a + 1, LEVELS))
_SMALLEST_PAIRS = 20  # fewer changes of severity: no interval


@dataclasses.dataclass(frozen=True)
class GradedOptions:
    """Studies with a severity.

    Attributes:
      dataset, split: where they come from.
      sources: kinds of grade that count, such as "consensus" or "mined"; empty: all.
    """

    dataset: str
    split: str = "test"
    sources: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class SeverityOptions:
    """Options of `severity`.

    Attributes:
      task: the graded test images.
      by: "head" reads the system's severity logits; "probe" fits a multinomial logistic
        regression on frozen features of `train`.
      train: graded images of the probe.
    """

    task: GradedOptions
    by: Literal["head", "probe"] = "probe"
    train: GradedOptions | None = None


def severity(options: SeverityOptions, context: EvaluationContext) -> Outcome:
    """Grade every test image.

    Raises:
      NotApplicable: by "head", and the system has no severity head.
      ValueError: by "probe" without training images, or without two grades among them.
    """
    rows, grades = _graded(options.task, context)
    index = context.data.studies(options.task.dataset, options.task.split).index
    patients = np.asarray(index.patient)[rows]
    if options.by == "head":
        probabilities = _by_head(options.task, rows, context)
    else:
        probabilities = _by_probe(options, rows, patients, context)
    expected = probabilities @ np.arange(LEVELS)
    return Outcome(
        options.task.dataset,
        options.task.split,
        (
            Part("", _ordinal(probabilities, grades, patients), rows),
            Part("pairwise", _pairwise(probabilities, grades, patients), rows),
        ),
        (
            _error(expected, grades, patients),
            *_direction(expected, grades, patients, np.asarray(index.study_index)[rows]),
        ),
        trajectories=trajectories(
            probabilities, grades, patients, np.asarray(index.study_days, np.float64)[rows]
        ),
    )


def _graded(options: GradedOptions, context: EvaluationContext) -> tuple[np.ndarray, np.ndarray]:
    studies = context.data.studies(options.dataset, options.split)
    grades = np.asarray(studies.index.severity)
    rows = np.flatnonzero((grades >= 0) & np.asarray(studies.index.has_frontal, bool))
    if options.sources:
        wanted = set(options.sources)
        rows = np.array([r for r in rows if studies[int(r)].severity_source in wanted], np.int64)
    if not len(rows):
        kinds = f" of source {', '.join(options.sources)}" if options.sources else ""
        raise ValueError(f"{options.dataset}/{options.split} has no graded image{kinds}")
    return rows, grades[rows].astype(np.int64)


def _by_head(task: GradedOptions, rows: np.ndarray, context: EvaluationContext) -> np.ndarray:
    labels = context.embedder.labels
    if any(name not in labels for name in HEAD_LABELS):
        raise NotApplicable('the system has no severity head; grade by "probe"')
    logits = context.embed(task.dataset, task.split, rows).logits
    assert logits is not None, "a system with label prototypes gives logits"
    return from_cumulative(logits[:, [labels.index(name) for name in HEAD_LABELS]])


def _by_probe(
    options: SeverityOptions, rows: np.ndarray, patients: np.ndarray, context: EvaluationContext
) -> np.ndarray:
    if options.train is None:
        raise ValueError('severity by "probe" needs `train`, the graded images of the probe')
    fit_rows, targets = _graded(options.train, context)
    keys = [
        context.data.studies(part.dataset, part.split).index.patient_key[chosen]
        for part, chosen in ((options.train, fit_rows), (options.task, rows))
    ]
    apart = ~np.isin(*keys)
    fit_rows, targets = fit_rows[apart], targets[apart]
    if len(np.unique(targets)) < 2:
        raise ValueError(
            f"{options.train.dataset}/{options.train.split} has graded images of fewer than two "
            "grades once the patients of the test images are left out"
        )
    train_features = context.embed(options.train.dataset, options.train.split, fit_rows).features
    test_features = context.embed(options.task.dataset, options.task.split, rows).features
    # Features of any scale: the published regularisation assumes about unit variance.
    mean, deviation = train_features.mean(0), train_features.std(0) + 1e-6
    probe, _ = fit_probe((train_features - mean) / deviation, targets)
    probabilities = np.zeros((len(rows), LEVELS))
    probabilities[:, probe.classes_] = probe.predict_proba((test_features - mean) / deviation)
    return probabilities


def _ordinal(probabilities: np.ndarray, grades: np.ndarray, patients: np.ndarray) -> Predictions:
    levels = np.arange(1, LEVELS)
    scores = np.stack([probabilities[:, k:].sum(1) for k in levels], axis=1)
    targets = (grades[:, None] >= levels).astype(np.int8)
    return Predictions("multi", patients, targets, scores[None].astype(np.float32), QUESTIONS)


def _pairwise(probabilities: np.ndarray, grades: np.ndarray, patients: np.ndarray) -> Predictions:
    scores, targets = [], []
    for low, high in PAIRS:
        both = probabilities[:, low] + probabilities[:, high]
        scores.append(probabilities[:, high] / np.maximum(both, 1e-12))
        targets.append(np.where(grades == high, 1, np.where(grades == low, 0, -1)))
    return Predictions(
        "multi",
        patients,
        np.stack(targets, axis=1).astype(np.int8),
        np.stack(scores, axis=1)[None].astype(np.float32),
        tuple(f"{low} v {high}" for low, high in PAIRS),
    )


def _error(expected: np.ndarray, grades: np.ndarray, patients: np.ndarray) -> DerivedMetric:
    squared = np.square(expected - grades)
    return DerivedMetric(
        "", "squared_error", lambda weights: weights @ squared / weights.sum(1), patients
    )


def _direction(
    expected: np.ndarray, grades: np.ndarray, patients: np.ndarray, order: np.ndarray
) -> tuple[DerivedMetric, ...]:
    """Share of true changes between a patient's consecutive graded studies predicted in sign."""
    place = np.lexsort((order, patients))
    before, after = place[:-1], place[1:]
    pair = (patients[before] == patients[after]) & (grades[before] != grades[after])
    before, after = before[pair], after[pair]
    if not len(before):
        return ()
    change = np.sign(expected[after] - expected[before])
    # No predicted change is half right, as a tie in a ROC curve.
    right = 0.5 + 0.5 * change * np.sign(grades[after] - grades[before])

    def share(weights: np.ndarray) -> np.ndarray:
        return weights @ right / weights.sum(1)

    small = len(before) < _SMALLEST_PAIRS
    return (DerivedMetric("", "change_concordance", share, patients[before], small),)
