# SPDX-License-Identifier: Apache-2.0
"""Intervals over patients, and over patients and seeds; paired tests, corrected by Holm."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from medst_jax.evaluate import bootstrap
from medst_jax.evaluate.measure import statistic
from medst_jax.evaluate.predictions import Predictions

LEVEL = 0.95


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A metric averaged over training seeds and repeats.

    `test` bounds it over patients, the trained systems and their draws of shots as they are;
    `both` over patients, training seeds and draws of shots; None where there is one seed.
    """

    value: float
    test: tuple[float, float]
    both: tuple[float, float] | None


def estimate(
    runs: Sequence[Predictions], metric: str, *, draws: int = bootstrap.DRAWS, seed: int = 0
) -> Estimate:
    """The metric of one training per seed, all on the same images, with its two intervals.

    Each draw takes patients with replacement; `both` takes, for each draw, seeds with
    replacement and, within each, repeats with replacement.
    """
    whole = _values(runs, metric, np.ones((1, len(runs[0].patients))))
    rng = np.random.default_rng((seed, 1))
    test, both = [], []
    for weights in bootstrap.patient_weights(runs[0].patients, draws=draws, seed=seed):
        values = _values(runs, metric, weights)
        test.append(values.mean((0, 1)))
        seeds, repeats, count = values.shape
        chosen = rng.integers(0, seeds, (seeds, 1, count))
        within = rng.integers(0, repeats, (seeds, repeats, count))
        both.append(values[chosen, within, np.arange(count)].mean((0, 1)))
    spread = _bounds(np.concatenate(both)) if len(runs) > 1 else None
    return Estimate(float(whole.mean()), _bounds(np.concatenate(test)), spread)


@dataclasses.dataclass(frozen=True)
class Difference:
    """A paired difference with its 95% interval over patients; `p` is two-sided."""

    value: float
    low: float
    high: float
    p: float


def difference(
    first: Sequence[Predictions],
    second: Sequence[Predictions],
    metric: str,
    *,
    draws: int = bootstrap.DRAWS,
    seed: int = 0,
) -> Difference:
    """Mean over seeds of `first` minus that of `second` on the same draws of patients.

    The p-value is twice the smaller share of draws on either side of zero, at least 2 / (draws + 1).

    Raises:
      ValueError: the two were measured on different images.
    """
    for run in (*first, *second):
        if not np.array_equal(run.patients, first[0].patients):
            raise ValueError("systems measured on different images cannot be paired")
    ones = np.ones((1, len(first[0].patients)))
    value = float(_values(first, metric, ones).mean() - _values(second, metric, ones).mean())
    blocks = bootstrap.patient_weights(first[0].patients, draws=draws, seed=seed)
    samples = np.concatenate(
        [
            _values(first, metric, w).mean((0, 1)) - _values(second, metric, w).mean((0, 1))
            for w in blocks
        ]
    )
    below = (1 + (samples <= 0).sum()) / (len(samples) + 1)
    above = (1 + (samples >= 0).sum()) / (len(samples) + 1)
    return Difference(value, *_bounds(samples), min(1.0, float(2 * min(below, above))))


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


def _values(runs: Sequence[Predictions], metric: str, weights: np.ndarray) -> np.ndarray:
    """[seeds, repeats, draws]."""
    return np.stack(
        [
            [
                statistic(dataclasses.replace(run, scores=run.scores[k : k + 1]), metric)(weights)
                for k in range(len(run.scores))
            ]
            for run in runs
        ]
    )


def _bounds(samples: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(samples[np.isfinite(samples)], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
