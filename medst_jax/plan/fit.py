# SPDX-License-Identifier: Apache-2.0
"""The largest batch per chip that fits, found by compiling."""

import logging
from collections.abc import Callable

from medst_jax.plan.planning import Plan

_LOG = logging.getLogger(__name__)


def largest_fit(plan_of: Callable[[int], Plan], start: int, step: int) -> Plan:
    """Search the multiples of `step` for the largest batch per chip that fits, to an eighth.

    Memory grows at most in proportion to the batch, or nearly: so a batch that fits says how far
    to go, and a compile or two tell where the limit is.

    Args:
      plan_of: compiles for a batch per chip.
      start: where to begin; rounded to a multiple of `step`.
      step: what every batch must be divisible by.

    Returns:
      the plan of the largest batch found to fit; of `step` itself where not even that fits.
    """
    tried: dict[int, Plan] = {}

    def fits(units: int) -> bool:
        if units not in tried:
            tried[units] = plan_of(units * step)
            memory = tried[units].memory
            _LOG.info(
                "%d per chip: %s, %.2f of %.2f GiB",
                units * step,
                "fits" if memory.fits else "does not fit",
                memory.peak / 2**30,
                memory.capacity / 2**30,
            )
        return tried[units].memory.fits

    # 1. Down by halves to a batch that fits. 2. Up until one does not, or where 1 has left off.
    # 3. Between the two, until they are an eighth apart: each try is a compilation.
    low, high = max(start // step, 1), 0
    while not fits(low):
        if low == 1:
            return tried[low]
        low, high = low // 2, low
    while not high:
        memory = tried[low].memory
        further = low * max(2, memory.capacity // max(memory.peak, 1))
        low, high = (further, 0) if fits(further) else (low, further)
    while high - low > max(low // 8, 1):
        middle = _between(low, high, tried)
        low, high = (middle, high) if fits(middle) else (low, middle)
    return tried[low]


def _between(low: int, high: int, tried: dict[int, Plan]) -> int:
    """Where a straight line through both peaks meets the capacity, but no nearer than an eighth."""
    below, above = tried[low].memory, tried[high].memory
    share = (below.capacity - below.peak) / max(above.peak - below.peak, 1)
    guess = low + int(share * (high - low))
    return min(max(guess, low + max(low // 8, 1)), high - 1)
