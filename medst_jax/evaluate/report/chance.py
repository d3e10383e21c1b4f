# SPDX-License-Identifier: Apache-2.0
"""What guessing scores on a metric, where that is known without a measurement."""

import numpy as np

from medst_jax.evaluate.statistics.outcome import Outcome
from medst_jax.evaluate.statistics.predictions import Predictions


def chance_level(
    metric: str, predictions: Predictions, outcome: Outcome | None = None
) -> float | None:
    """The value of a guess; None where there is no such number.

    Areas under the curve: 0.5. Balanced accuracy and the harmonic mean of recalls: one over the
    classes. Accuracy: the share of the most frequent class. Recall at k: the mean chance that one
    of k texts drawn from the gallery equals the query's own, which only the outcome tells. Order of
    pairs: 0.5.
    """
    name = metric.partition("/")[0]
    if name in ("auroc", "pairwise"):
        return 0.5
    if predictions.kind == "single":
        if name in ("balanced_accuracy", "harmonic_mean"):
            return 1 / len(predictions.classes)
        if name == "accuracy":
            return float(np.bincount(predictions.targets).max() / len(predictions.targets))
    if predictions.kind == "ranks" and outcome and name.startswith("recall@"):
        count = len(predictions.patients)
        equal = outcome.retrieved.equal if outcome.retrieved else None
        equal = np.ones(count, int) if equal is None else equal
        return float(np.mean(_hit_of(min(int(name.partition("@")[2]), count), equal, count)))
    return None


def duplicates(outcome: Outcome) -> float:
    """The share of retrieved texts that are not the only one of their words."""
    equal = outcome.retrieved.equal if outcome.retrieved else None
    return 0.0 if equal is None or not len(equal) else float(np.mean(equal > 1))


def _hit_of(drawn: int, equal: np.ndarray, count: int) -> np.ndarray:
    """Chance that `drawn` of `count` texts, without repeats, hold one of `equal` [n] texts."""
    missed = np.ones(len(equal))
    for k in range(drawn):
        missed *= np.maximum(count - equal - k, 0) / (count - k)
    return 1 - missed
