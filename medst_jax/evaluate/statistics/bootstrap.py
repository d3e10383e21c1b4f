# SPDX-License-Identifier: Apache-2.0
"""Patient-clustered bootstrap: patients, not images, are resampled with replacement.

A replicate is a vector of multiplicities, so nothing is copied: a metric receives weights [R, n] for
a block of R replicates (see `metrics`) and returns R values.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

REPLICATES = 2_000
_BLOCK = (
    4_000_000  # weights held at once, so that memory does not grow with the number of replicates
)

Statistic = Callable[[np.ndarray], np.ndarray]


class Interval(NamedTuple):
    """A value on the given images and the percentile bounds of its bootstrap replicates."""

    value: float
    low: float
    high: float


def patient_weights(
    patients: np.ndarray, *, replicates: int = REPLICATES, seed: int = 0
) -> Iterator[np.ndarray]:
    """Blocks of float64 [R, n]: how often each image's patient was taken.

    Args:
      patients: [n] patient of each image (any integers).
      replicates: number of replicates over all blocks.
      seed: the same seed, patients and number give the same weights, whatever is measured.
    """
    _, member = np.unique(np.asarray(patients), return_inverse=True)
    count = int(member.max()) + 1 if len(member) else 0
    rng = np.random.default_rng(seed)
    block = max(1, _BLOCK // max(len(member), 1))
    for start in range(0, replicates, block):
        rows = min(block, replicates - start)
        picks = rng.integers(0, count, size=(rows, count))
        picks += np.arange(rows)[:, None] * count
        times = np.bincount(picks.ravel(), minlength=rows * count).reshape(rows, count)
        # Laid out image by image, as `metrics.auroc` reads them.
        yield np.ascontiguousarray(times.T, np.float64)[member].T


def clustered_interval(
    statistic: Statistic,
    patients: np.ndarray,
    *,
    replicates: int = REPLICATES,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """A statistic with its percentile interval over patients.

    Args:
      statistic: weights [R, n] -> [R].
      patients: [n].
      replicates: bootstrap replicates; 0 gives NaN bounds.
      seed: of the replicates.
      level: coverage of the interval.
    """
    intervals = clustered_intervals(
        lambda weights: {"": statistic(weights)},
        patients,
        replicates=replicates,
        seed=seed,
        level=level,
    )
    return intervals[""]


def clustered_intervals(
    statistics: Callable[[np.ndarray], Mapping[str, np.ndarray]],
    patients: np.ndarray,
    *,
    replicates: int = REPLICATES,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, Interval]:
    """As `clustered_interval`, of several statistics at once: weights [R, n] -> name to [R]."""
    values = {k: float(v[0]) for k, v in statistics(np.ones((1, len(patients)))).items()}
    if replicates == 0 or not len(patients):
        return {name: Interval(value, np.nan, np.nan) for name, value in values.items()}
    blocks = [
        statistics(weights)
        for weights in patient_weights(patients, replicates=replicates, seed=seed)
    ]
    samples = {name: np.concatenate([block[name] for block in blocks]) for name in values}
    return {name: Interval(values[name], *_bounds(samples[name], level)) for name in values}


def paired_difference(
    first: Sequence[Statistic],
    second: Sequence[Statistic],
    patients: np.ndarray,
    *,
    replicates: int = REPLICATES,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Mean of `first` minus mean of `second`, both measured on the same replicates of the patients.

    Args:
      first: one statistic per training seed, all over the same n images.
      second: likewise, of the system that is compared with; may hold another number of seeds.
      patients: [n], shared by all of them.
      replicates: bootstrap replicates.
      seed: of the replicates.
      level: coverage of the interval.

    Raises:
      ValueError: one side is empty.
    """
    if not first or not second:
        raise ValueError(
            f"a paired difference needs runs on both sides; got {len(first)} and {len(second)}"
        )

    def difference(weights: np.ndarray) -> np.ndarray:
        left = np.mean([statistic(weights) for statistic in first], axis=0)
        return left - np.mean([statistic(weights) for statistic in second], axis=0)

    return clustered_interval(difference, patients, replicates=replicates, seed=seed, level=level)


def _bounds(samples: np.ndarray, level: float) -> tuple[float, float]:
    finite = samples[np.isfinite(samples)]
    if not len(finite):
        return float("nan"), float("nan")
    low, high = np.quantile(finite, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
