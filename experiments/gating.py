# SPDX-License-Identifier: Apache-2.0
"""Both gates of a claim: does a taught net pass its rule, and how small a difference is seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from medst_jax.configs.evaluate.gates import FACTOR, POWER
from medst_jax.evaluate.statistics.comparison import compare, mean_value
from medst_jax.evaluate.statistics.predictions import Predictions

_NORMAL = NormalDist()
_SURE, _SEEN = _NORMAL.inv_cdf(0.975), _NORMAL.inv_cdf(POWER)


@dataclass(frozen=True)
class Gate:
    """A taught net against one control on one task.

    Attributes:
      value, control_value: mean over training seeds.
      effect, low, high: difference and its 95% interval over patients.
      least: the claim's minimal effect.
      smallest: difference that the claim's own numbers of patients and seeds see with chance POWER.
      seeds: of the net.
    """

    value: float
    control_value: float
    effect: float
    low: float
    high: float
    least: float
    smallest: float
    seeds: int

    @property
    def signal(self) -> bool:
        """Whether the lower bound lies above FACTOR minimal effects."""
        return self.low > FACTOR * self.least

    @property
    def precision(self) -> bool:
        """Whether a minimal effect would be seen."""
        return self.smallest <= self.least


def gate(
    own: Sequence[Predictions],
    control: Sequence[Predictions],
    metric: str,
    *,
    least: float,
    seeds: int,
    share: float = 1.0,
) -> Gate:
    """Both gates of a task and control.

    Args:
      own, control: one `Predictions` per training seed, of the same images.
      metric: of the claim.
      least: its minimal effect.
      seeds: how many training seeds the claim is judged with.
      share: patients measured here, of those that the claim is judged with.
    """
    difference = compare(own, control, metric)
    error = (difference.high - difference.low) / (2 * _SURE) * share**0.5
    return Gate(
        mean_value(own, metric),
        mean_value(control, metric),
        *difference,
        least,
        smallest_difference(error, _spread(own, control, metric), seeds),
        len(own),
    )


def smallest_difference(error: float, spread: float, seeds: int) -> float:
    """The difference whose lower 95% bound lies above zero with chance POWER.

    Args:
      error: standard error over patients: all that the bound knows.
      spread: deviation of the difference over training seeds, of which `seeds` are averaged.

    >>> round(smallest_difference(0.01, 0.0, 3), 4)
    0.028
    """
    return _SURE * error + _SEEN * float(np.hypot(error, spread / seeds**0.5))


def _spread(own: Sequence[Predictions], control: Sequence[Predictions], metric: str) -> float:
    """Deviation over training seeds; 0 where one was trained."""
    pairs = list(zip(own, control, strict=False))
    if len(pairs) < 2:
        return 0.0
    values = [mean_value([a], metric) - mean_value([b], metric) for a, b in pairs]
    return float(np.std(values, ddof=1))
