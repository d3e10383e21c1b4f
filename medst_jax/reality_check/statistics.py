# SPDX-License-Identifier: Apache-2.0
"""Intervals over patients, and over patients and seeds; paired tests, corrected by Holm."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np

from medst_jax.evaluate.statistics import bootstrap
from medst_jax.evaluate.statistics.measure import statistic
from medst_jax.evaluate.statistics.predictions import Predictions

LEVEL = 0.95


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A metric averaged over training seeds and repeats.

    `test` bounds it over patients, the trained systems and their sets of shots as they are;
    `both` over patients, training seeds and sets of shots; None where there is one seed.
    """

    value: float
    test: tuple[float, float]
    both: tuple[float, float] | None


@dataclasses.dataclass(frozen=True)
class Replicates:
    """A metric of trained systems, on all images and on bootstrap replicates of the patients.

    Attributes:
      patients: int [n], of the images.
      whole: float64 [seeds, repeats], on all images.
      values: float64 [seeds, repeats, R], on R replicates that depend on patients and seed alone.
      seed: of the replicates.
    """

    patients: np.ndarray
    whole: np.ndarray
    values: np.ndarray
    seed: int


def bootstrap_replicates(
    run: Predictions, metric: str, *, replicates: int = bootstrap.REPLICATES, seed: int = 0
) -> Replicates:
    """The metric of one training on bootstrap replicates of its test patients."""
    repeats = [
        statistic(dataclasses.replace(run, scores=run.scores[k : k + 1]), metric)
        for k in range(len(run.scores))
    ]
    whole = np.stack([one(np.ones((1, len(run.patients)))) for one in repeats])[None, :, 0]
    blocks = [
        np.stack([one(weights) for one in repeats])
        for weights in bootstrap.patient_weights(run.patients, replicates=replicates, seed=seed)
    ]
    return Replicates(run.patients, whole, np.concatenate(blocks, axis=1)[None], seed)


def gather(runs: Sequence[Replicates]) -> Replicates:
    """The replicates of one training per seed as one.

    Raises:
      ValueError: they were measured on different images, or with other replicates.
    """
    for run in runs:
        _check_paired(run, runs[0])
    return dataclasses.replace(
        runs[0],
        whole=np.concatenate([run.whole for run in runs]),
        values=np.concatenate([run.values for run in runs]),
    )


def estimate(runs: Replicates) -> Estimate:
    """The metric of one training per seed, with its two intervals.

    Each replicate takes patients with replacement; `both` takes, for each of them, seeds with
    replacement and, within each, repeats with replacement.
    """
    seeds, repeats, count = runs.values.shape
    rng = np.random.default_rng((runs.seed, 1))
    chosen = rng.integers(0, seeds, (seeds, 1, count))
    within = rng.integers(0, repeats, (seeds, repeats, count))
    both = runs.values[chosen, within, np.arange(count)].mean((0, 1))
    test = _bounds(runs.values.mean((0, 1)))
    return Estimate(float(runs.whole.mean()), test, _bounds(both) if seeds > 1 else None)


@dataclasses.dataclass(frozen=True)
class Difference:
    """A paired difference with its 95% interval over patients; `p` is two-sided."""

    value: float
    low: float
    high: float
    p: float


def difference(first: Replicates, second: Replicates) -> Difference:
    """Mean over seeds of `first` minus that of `second` on the same replicates of the patients.

    The p-value is twice the smaller share of replicates on either side of zero. Where none reaches
    zero that is only known to be below 2 / (replicates + 1), of which Holm's correction over a hundred
    comparisons makes 0.1: then it is that of a normal distribution with their deviation.

    Raises:
      ValueError: the two were measured on different images, or with other replicates.
    """
    _check_paired(first, second)
    value = float(first.whole.mean() - second.whole.mean())
    samples = first.values.mean((0, 1)) - second.values.mean((0, 1))
    below = (1 + (samples <= 0).sum()) / (len(samples) + 1)
    above = (1 + (samples >= 0).sum()) / (len(samples) + 1)
    share = min(1.0, float(2 * min(below, above)))
    spread = float(np.std(samples))
    if share <= 2 / (len(samples) + 1) and spread > 0:
        share = min(share, math.erfc(abs(value) / spread / math.sqrt(2)))
    return Difference(value, *_bounds(samples), share)


def plain_value(predictions: Predictions, metric: str) -> float:
    """The metric on all images, a mean over repeats; NaN where it is undefined."""
    ones = np.ones((1, len(predictions.patients)))
    return float(statistic(predictions, metric)(ones)[0])


def holm(values: Mapping[str, float]) -> dict[str, float]:
    """p-values adjusted for their number (Holm, Scand. J. Statist. 1979)."""
    order = sorted(values, key=lambda name: values[name])
    adjusted, highest = {}, 0.0
    for rank, name in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * values[name]))
        adjusted[name] = highest
    return {name: adjusted[name] for name in values}


def _check_paired(first: Replicates, second: Replicates) -> None:
    if not np.array_equal(first.patients, second.patients):
        raise ValueError("systems measured on different images cannot be paired")
    if first.seed != second.seed or first.values.shape[2] != second.values.shape[2]:
        raise ValueError(
            "systems measured on different replicates of the patients cannot be paired"
        )


def _bounds(samples: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(samples[np.isfinite(samples)], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
