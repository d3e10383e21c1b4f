# SPDX-License-Identifier: Apache-2.0
"""The largest batch per chip that fits, found by compiling."""

import logging
from collections.abc import Callable

from medst_jax.plan.planning import Plan

_LOG = logging.getLogger(__name__)


def largest_fit(plan_of: Callable[[int], Plan], start: int, step: int) -> Plan:
    """Search the multiples of `step` for the largest batch per chip that fits.

    Doubles or halves from `start` until one fits and the next does not, then halves the gap.

    Args:
      plan_of: compiles for a batch per chip.
      start: where to begin; rounded to a multiple of `step`.
      step: what every batch must be divisible by.

    Returns:
      the plan of the largest batch that fits; of `step` itself where not even that fits.
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

    low = max(start // step, 1)
    while not fits(low) and low > 1:
        low //= 2
    if not fits(low):
        return tried[low]
    high = low * 2
    while fits(high):
        low, high = high, high * 2
    # Batches within an eighth of each other need no further compiling.
    while high - low > max(low // 8, 1):
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return tried[low]
