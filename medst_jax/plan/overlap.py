# SPDX-License-Identifier: Apache-2.0
"""Beside which collectives of a scheduled GPU module something else runs."""

from medst_jax.plan.hlo import Module, array_bytes

_WORK = frozenset({"fusion", "custom-call", "while", "call", "conditional"})
# Counters of loops and the like are no work.
_SMALL = 2**16


def overlapped_starts(module: Module) -> frozenset[str]:
    """Names of the starts between which and whose end the schedule has work.

    Args:
      module: with `is_scheduled=true`: the order of the text is that of the run.
    """
    beside: set[str] = set()
    for computation in module.computations.values():
        begun: set[str] = set()
        for instruction in computation.values():
            if instruction.opcode.endswith("-start"):
                begun.add(instruction.name)
            elif instruction.opcode.endswith("-done"):
                begun.difference_update(instruction.operands)
            elif instruction.opcode in _WORK and array_bytes(instruction.shape) > _SMALL:
                beside |= begun
    return frozenset(beside)
