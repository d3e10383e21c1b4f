# SPDX-License-Identifier: Apache-2.0
"""From predictions to numbers: which metrics a kind of prediction has, each with its interval."""

from typing import NamedTuple

import numpy as np

from medst_jax.evaluate import bootstrap, metrics
from medst_jax.evaluate.calibration import are_probabilities, calibration_error, confidence
from medst_jax.evaluate.predictions import Predictions

MIN_POSITIVES = 20


class Measurement(NamedTuple):
    """A metric with its interval; `small` says that there are too few images for one."""

    metric: str
    value: float
    low: float | None
    high: float | None
    n: int
    small: bool


def statistic(predictions: Predictions, metric: str) -> bootstrap.Statistic:
    """The metric as a function of image weights [R, n] -> [R], averaged over the repeats.

    Args:
      predictions: of one task.
      metric: "balanced_accuracy", "accuracy", "f1", "quadratic_kappa" (single);
        "calibration_error" (single, where scores are log-probabilities); "harmonic_mean/K"
        (single), of the mean recalls of the first K classes and of the others; "auroc" (mean over
        the classes with enough images) or "auroc/<class>" (single, multi); "recall@K",
        "median_rank" (ranks); what was measured (values).

    Raises:
      ValueError: the predictions have no such metric.
    """
    if metric not in available(predictions) and not _is_harmonic(predictions, metric):
        raise ValueError(
            f"{predictions.kind} predictions have no metric {metric!r}; "
            f"known: {', '.join(available(predictions))}"
        )

    def averaged(weights: np.ndarray) -> np.ndarray:
        return np.mean([_once(predictions, s, metric, weights) for s in _repeats(predictions)], 0)

    return averaged


def measure(
    predictions: Predictions, *, draws: int = bootstrap.DRAWS, seed: int = 0
) -> list[Measurement]:
    """Every metric of the predictions; no interval where a class has fewer than 20 positives."""
    return [measure_one(predictions, m, draws=draws, seed=seed) for m in available(predictions)]


def measure_one(
    predictions: Predictions, metric: str, *, draws: int = bootstrap.DRAWS, seed: int = 0
) -> Measurement:
    """One metric with its patient bootstrap interval."""
    small = _too_small(predictions, metric)
    result = bootstrap.clustered_interval(
        statistic(predictions, metric), predictions.patients, draws=0 if small else draws, seed=seed
    )
    low, high = (None if np.isnan(bound) else bound for bound in (result.low, result.high))
    return Measurement(metric, result.value, low, high, _count(predictions, metric), small)


def available(predictions: Predictions) -> tuple[str, ...]:
    """Names of the metrics these predictions have."""
    if predictions.kind == "ranks":
        return ("recall@1", "recall@5", "recall@10", "median_rank")
    if predictions.kind == "values":
        return predictions.classes
    per_class = tuple(f"auroc/{name}" for name in predictions.classes)
    if predictions.kind == "multi":
        return ("auroc", *per_class)
    calibrated = ("calibration_error",) if are_probabilities(predictions) else ()
    summaries = ("balanced_accuracy", "accuracy", "auroc", "f1", "quadratic_kappa")
    return (*summaries, *calibrated, *per_class)


def _is_harmonic(predictions: Predictions, metric: str) -> bool:
    name, _, first = metric.partition("/")
    return (
        predictions.kind == "single"
        and name == "harmonic_mean"
        and first.isdigit()
        and 0 < int(first) < len(predictions.classes)
    )


def _once(p: Predictions, repeat: int, metric: str, weights: np.ndarray) -> np.ndarray:
    scores = p.scores[repeat]
    if p.kind == "values":
        return metrics.grouped_mean(scores[:, p.classes.index(metric)], p.targets, weights)
    name, _, argument = metric.partition("@" if p.kind == "ranks" else "/")
    if name == "recall":
        hit = (scores[:, 0] <= int(argument)).astype(np.float64)
        return weights @ hit / weights.sum(1)
    if name == "median_rank":
        return metrics.weighted_median(scores[:, 0], weights)
    if name == "auroc" and argument:
        return _class_auroc(p, scores, p.classes.index(argument), weights)
    if name == "auroc":
        per_class = [_class_auroc(p, scores, c, weights) for c in _macro_classes(p)]
        return np.mean(per_class, axis=0) if per_class else np.full(len(weights), np.nan)
    if name == "calibration_error":
        return calibration_error(*confidence(p, repeat), weights)
    matrix = metrics.confusion(p.targets, p.predicted(repeat), len(p.classes), weights)
    if name == "harmonic_mean":
        return metrics.harmonic_recall(matrix, int(argument))
    functions = {
        "balanced_accuracy": metrics.balanced_accuracy,
        "accuracy": metrics.accuracy,
        "f1": metrics.macro_f1,
        "quadratic_kappa": metrics.quadratic_kappa,
    }
    return functions[name](matrix)


def _class_auroc(
    p: Predictions, scores: np.ndarray, column: int, weights: np.ndarray
) -> np.ndarray:
    if p.kind == "single":
        return metrics.auroc(p.targets == column, scores[:, column], weights)
    known = p.targets[:, column] >= 0
    return metrics.auroc(p.targets[known, column] == 1, scores[known, column], weights[:, known])


def _macro_classes(p: Predictions) -> list[int]:
    """Classes with enough images on both sides; all with any on both sides when none has enough."""
    fewest = np.minimum(p.positives(), p.negatives())
    enough = np.flatnonzero(fewest >= MIN_POSITIVES)
    return list(enough if len(enough) else np.flatnonzero(fewest > 0))


def _too_small(p: Predictions, metric: str) -> bool:
    if p.kind in ("ranks", "values"):
        return len(p.patients) < MIN_POSITIVES
    fewest = np.minimum(p.positives(), p.negatives())
    if metric.startswith("auroc/"):
        return bool(fewest[p.classes.index(metric.removeprefix("auroc/"))] < MIN_POSITIVES)
    if metric == "auroc":
        return not (fewest >= MIN_POSITIVES).any()
    return bool(p.positives().min() < MIN_POSITIVES)


def _count(p: Predictions, metric: str) -> int:
    if p.kind == "multi" and metric.startswith("auroc/"):
        column = p.classes.index(metric.removeprefix("auroc/"))
        return int((p.targets[:, column] >= 0).sum())
    return len(p.patients)


def _repeats(p: Predictions) -> range:
    return range(len(p.scores))
