# SPDX-License-Identifier: Apache-2.0
"""Step time of a compiled program, from the compiler's cost model and the links' bandwidths."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from medst_jax.plan.chips import Chip
from medst_jax.plan.collectives import Collective
from medst_jax.plan.cycles import Cost
from medst_jax.plan.network import dcn_seconds, ici_seconds
from medst_jax.plan.topology import Topology


@dataclasses.dataclass(frozen=True)
class Estimate:
    """Seconds of a step. Low: computation and both networks overlap wholly; high: not at all.

    `ici_blocking_seconds` is the part of `ici_seconds` in which the program, as compiled, does
    nothing else: by so much at least a step is longer than its computation. `mfu_low` belongs to
    `step_seconds_high`.
    """

    compute_seconds: float
    ici_seconds: float
    ici_blocking_seconds: float
    dcn_seconds: float
    step_seconds_low: float
    step_seconds_high: float
    mfu_low: float
    mfu_high: float


def compute_seconds(cost: Cost, chip: Chip) -> float:
    """The compiler's cycles over the clock; kernels, which it does not time, at half the peak."""
    return cost.cycles / chip.clock + cost.kernel_flops / (chip.peak_flops / 2)


def estimate(
    cost: Cost,
    collectives: Sequence[Collective],
    devices: Sequence[Any],
    topology: Topology,
    model_flops: float,
) -> Estimate:
    """Put the parts together.

    Args:
      cost: of the program on one device.
      found: its collectives.
      devices: in the mesh's order.
      topology: what they belong to.
      model_flops: of a step on one device, without what rematerialisation repeats.
    """
    compute = compute_seconds(cost, topology.chip)
    ici = ici_seconds(collectives, devices, topology)
    blocking = ici_seconds(
        [collective for collective in collectives if collective.blocking], devices, topology
    )
    dcn = dcn_seconds(collectives, topology)
    low, high = max(compute, ici, dcn), compute + ici + dcn
    ideal = model_flops / topology.chip.peak_flops
    return Estimate(compute, ici, blocking, dcn, low, high, ideal / high, ideal / low)
