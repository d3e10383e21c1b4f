# SPDX-License-Identifier: Apache-2.0
"""Step time of a compiled program, from a cost model of its kernels and the links' bandwidths."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from medst_jax.plan.chips import Chip
from medst_jax.plan.collectives import Collective
from medst_jax.plan.cycles import Cost, Row, breakdown, cost, estimated_cycles
from medst_jax.plan.gpus import Gpu
from medst_jax.plan.hlo import Module
from medst_jax.plan.network import dcn_seconds, ici_seconds
from medst_jax.plan.roofline import kernel_seconds, roofline_seconds
from medst_jax.plan.topology import Topology

MODELLED = "times are the compiler's cost model and link arithmetic, not measurements"
ROOFLINE = (
    "times are a roofline, not measurements: each kernel at the peak of the matrix units or of the "
    "memory, and link arithmetic; a real step takes longer"
)


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


def program_seconds(module: Module, topology: Topology) -> tuple[float, list[str]]:
    """Computation of one step on a device, and what to say about the figure.

    The compiler's cost model on TPUs, a roofline on GPUs, whose compiler has none.
    """
    if isinstance(topology.chip, Gpu):
        return roofline_seconds(module, topology.chip), [ROOFLINE]
    totals = cost(module)
    silent = [f"kernel {name} gives no cost and is not counted" for name in totals.silent_kernels]
    return compute_seconds(totals, topology.chip), [MODELLED, *silent]


def seconds_by_place(module: Module, topology: Topology) -> list[Row]:
    """Computation by place in the traced program, dearest first, in seconds of a step."""
    chip = topology.chip
    if isinstance(chip, Gpu):
        gpu = chip
        return breakdown(module, lambda one: kernel_seconds(module, one, gpu))
    clock = chip.clock
    return breakdown(module, lambda one: estimated_cycles(one) / clock)


def estimate(
    compute: float,
    collectives: Sequence[Collective],
    devices: Sequence[Any],
    topology: Topology,
    model_flops: float,
) -> Estimate:
    """Put the parts together.

    Args:
      compute: seconds of the program's computation on one device.
      collectives: of the program.
      devices: in the mesh's order.
      topology: what they belong to.
      model_flops: of a step on one device, without what rematerialisation repeats.
    """
    ici = ici_seconds(collectives, devices, topology)
    blocking = ici_seconds(
        [collective for collective in collectives if collective.blocking], devices, topology
    )
    dcn = dcn_seconds(collectives, devices, topology)
    low, high = max(compute, ici, dcn), compute + ici + dcn
    ideal = model_flops / topology.chip.peak_flops
    return Estimate(compute, ici, blocking, dcn, low, high, ideal / high, ideal / low)
