# SPDX-License-Identifier: Apache-2.0
"""The compiler's cost model: cycles of a compiled TPU module, summed and by origin."""

import collections
import dataclasses
import json
import re
from collections.abc import Callable

from medst_jax.plan.execution import executed
from medst_jax.plan.hlo import Instruction, Module

# The compiler's own bookkeeping calls do no arithmetic; kernels are custom calls of this target.
KERNEL = 'custom_call_target="tpu_custom_call"'


@dataclasses.dataclass(frozen=True)
class Cost:
    """What one step costs a device.

    Attributes:
      cycles: sum of the compiler's estimates.
      kernel_flops: FLOPs that hand-written kernels declare; the compiler does not time them.
      silent_kernels: names of kernels that declare nothing.
    """

    cycles: int
    kernel_flops: int
    silent_kernels: tuple[str, ...]


def cost(module: Module) -> Cost:
    """Sum over the instructions that run; collectives carry no estimate and count nothing."""
    cycles, flops, silent = 0, 0, []
    for instruction, times in executed(module):
        cycles += times * estimated_cycles(instruction)
        if KERNEL in instruction.attributes:
            # A kernel is opaque to the compiler: its own cost estimate is all that is known.
            declared = kernel_flops(instruction)
            flops += times * (declared or 0)
            if not declared:
                silent.append(instruction.name)
    return Cost(cycles, flops, tuple(silent))


def kernel_flops(instruction: Instruction) -> int | None:
    """FLOPs of a kernel's cost estimate, None where it gives none."""
    match = re.search(r'"cost_estimate":(\{[^}]*\})', instruction.attributes)
    return int(json.loads(match[1]).get("flops", 0)) if match else None


@dataclasses.dataclass(frozen=True)
class Row:
    """What one origin costs, in cycles or seconds, as it was asked for."""

    origin: str
    cost: float
    instructions: int


def estimated_cycles(instruction: Instruction) -> int:
    """The compiler's estimate of one run of an instruction; 0 where it gives none."""
    return instruction.number("estimated_cycles") or 0


def breakdown(
    module: Module,
    cost_of: Callable[[Instruction], float] = estimated_cycles,
    depth: int = 3,
    per_instruction: bool = False,
) -> list[Row]:
    """Cost by place in the traced program, dearest first.

    Args:
      module: a compiled module.
      cost_of: one run of an instruction.
      depth: how many of the last parts of an instruction's scope name a place.
      per_instruction: one row per instruction instead.
    """
    costs: dict[str, float] = collections.defaultdict(float)
    count: collections.Counter[str] = collections.Counter()
    for instruction, times in executed(module):
        own = cost_of(instruction)
        if own:
            origin = place(instruction, depth)
            if per_instruction:
                origin = f"{origin}  {instruction.name}  {instruction.shape[:90]}  x{times}"
            costs[origin] += times * own
            count[origin] += 1
    dearest = sorted(costs.items(), key=lambda item: -item[1])
    return [Row(name, total, count[name]) for name, total in dearest]


def place(instruction: Instruction, depth: int) -> str:
    """A short name of where an instruction comes from: direction, then the last scopes."""
    scope = instruction.scope
    parts = [p for p in scope.split("/") if p not in ("while", "body", "closed_call", "")]
    # JAX marks the forward pass by jvp(...), the backward pass by transpose(jvp(...)).
    direction = "backward" if "transpose(" in scope else "forward" if "jvp(" in scope else "update"
    if "rematted_computation" in scope or "checkpoint" in scope and "transpose(" not in scope:
        parts = [p for p in parts if p not in ("checkpoint", "rematted_computation")]
        direction = "recomputed" if "rematted_computation" in scope else direction
    return "/".join([direction, *parts[1:][-depth:]]) if parts else f"compiler/{instruction.opcode}"
