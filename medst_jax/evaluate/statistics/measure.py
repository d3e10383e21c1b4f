# SPDX-License-Identifier: Apache-2.0
"""From predictions to numbers: which metrics a kind of prediction has, each with its interval."""

import dataclasses
import functools
from typing import NamedTuple

import numpy as np

from medst_jax.evaluate.statistics import bootstrap, metrics
from medst_jax.evaluate.statistics.calibration import (
    are_probabilities,
    calibration_error,
    confidence,
)
from medst_jax.evaluate.statistics.predictions import Predictions

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
        (single), of the mean recalls of the first K classes and of the others; "f1/<class>" (single,
        of two classes; "f1" is the mean over classes); "auroc" (mean over
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
        return np.mean(
            [_metric_values(repeat, metric) for repeat in _repeats(predictions, weights)], 0
        )

    return averaged


def measure(
    predictions: Predictions, *, replicates: int = bootstrap.REPLICATES, seed: int = 0
) -> list[Measurement]:
    """Every metric of the predictions; no interval where a class has fewer than 20 positives."""
    names = available(predictions)

    def averaged(weights: np.ndarray) -> dict[str, np.ndarray]:
        repeats = _repeats(predictions, weights)
        values = [[_metric_values(repeat, name) for name in names] for repeat in repeats]
        return dict(zip(names, np.mean(values, axis=0), strict=True))

    small = {name: _too_small(predictions, name) for name in names}
    bounded = bootstrap.clustered_intervals(
        averaged,
        predictions.patients,
        replicates=0 if all(small.values()) else replicates,
        seed=seed,
    )
    return [_measurement(predictions, name, bounded[name], small[name]) for name in names]


def measure_one(
    predictions: Predictions, metric: str, *, replicates: int = bootstrap.REPLICATES, seed: int = 0
) -> Measurement:
    """One metric with its patient bootstrap interval."""
    small = _too_small(predictions, metric)
    result = bootstrap.clustered_interval(
        statistic(predictions, metric),
        predictions.patients,
        replicates=0 if small else replicates,
        seed=seed,
    )
    return _measurement(predictions, metric, result, small)


def _measurement(
    predictions: Predictions, metric: str, interval: bootstrap.Interval, small: bool
) -> Measurement:
    bounds = (interval.low, interval.high)
    low, high = (None if small or np.isnan(bound) else bound for bound in bounds)
    return Measurement(metric, interval.value, low, high, _count(predictions, metric), small)


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
    # Of two classes one is a finding, whose own F1 papers print.
    f1 = tuple(f"f1/{name}" for name in predictions.classes if len(predictions.classes) == 2)
    return (*summaries, *calibrated, *f1, *per_class)


def _is_harmonic(predictions: Predictions, metric: str) -> bool:
    name, _, first = metric.partition("/")
    return (
        predictions.kind == "single"
        and name == "harmonic_mean"
        and first.isdigit()
        and 0 < int(first) < len(predictions.classes)
    )


@dataclasses.dataclass(frozen=True)
class _WeightedRepeat:
    """One repeat of predictions under weights [R, n]; what several metrics need is made once."""

    p: Predictions
    repeat: int
    weights: np.ndarray

    @property
    def scores(self) -> np.ndarray:
        return self.p.scores[self.repeat]

    @functools.cached_property
    def matrix(self) -> np.ndarray:
        p = self.p
        return metrics.confusion(p.targets, p.predicted(self.repeat), len(p.classes), self.weights)

    @functools.cached_property
    def _areas(self) -> dict[int, np.ndarray]:
        return {}

    def area(self, column: int) -> np.ndarray:
        """AUROC [R] of a class."""
        if column not in self._areas:
            self._areas[column] = _class_auroc(self.p, self.scores, column, self.weights)
        return self._areas[column]


def _metric_values(repeat: _WeightedRepeat, metric: str) -> np.ndarray:
    p, scores, weights = repeat.p, repeat.scores, repeat.weights
    if p.kind == "values":
        return metrics.grouped_mean(scores[:, p.classes.index(metric)], p.targets, weights)
    name, _, argument = metric.partition("@" if p.kind == "ranks" else "/")
    if name == "recall":
        hit = (scores[:, 0] <= int(argument)).astype(np.float64)
        return weights @ hit / weights.sum(1)
    if name == "median_rank":
        return metrics.weighted_median(scores[:, 0], weights)
    if name == "auroc" and argument:
        return repeat.area(p.classes.index(argument))
    if name == "auroc":
        per_class = [repeat.area(c) for c in _macro_classes(p)]
        return np.mean(per_class, axis=0) if per_class else np.full(len(weights), np.nan)
    if name == "f1" and argument:
        return metrics.class_f1(repeat.matrix)[:, p.classes.index(argument)]
    if name == "calibration_error":
        return calibration_error(*confidence(p, repeat.repeat), weights)
    if name == "harmonic_mean":
        return metrics.harmonic_recall(repeat.matrix, int(argument))
    functions = {
        "balanced_accuracy": metrics.balanced_accuracy,
        "accuracy": metrics.accuracy,
        "f1": metrics.macro_f1,
        "quadratic_kappa": metrics.quadratic_kappa,
    }
    return functions[name](repeat.matrix)


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


def _repeats(p: Predictions, weights: np.ndarray) -> list[_WeightedRepeat]:
    return [_WeightedRepeat(p, repeat, weights) for repeat in range(len(p.scores))]
