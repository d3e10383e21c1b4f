# SPDX-License-Identifier: Apache-2.0
"""Which instructions of a compiled module run, and how many times each."""

import re
from collections.abc import Iterator, Mapping

from medst_jax.plan.hlo import Instruction, Module


class UnknownTripCountError(ValueError):
    """A loop whose number of iterations the module does not say."""


def executed(module: Module) -> Iterator[tuple[Instruction, int]]:
    """(instruction, times it runs), from the entry down.

    Loop bodies count once per iteration. Fusions are not descended into: a fusion is one
    program, and the compiler's estimate stands on it. Of a conditional every branch counts, the
    dearest case being what a plan is for.

    Raises:
      UnknownTripCountError: see `trip_count`.
    """
    yield from _within(module, module.entry, 1)


def _within(module: Module, name: str, times: int) -> Iterator[tuple[Instruction, int]]:
    computation = module.computations[name]
    for instruction in computation.values():
        yield instruction, times
        if instruction.opcode == "while":
            body = instruction.called("body")
            assert body is not None
            yield from _within(module, body, times * trip_count(module, instruction, computation))
        elif instruction.opcode in ("call", "async-start"):
            target = instruction.called("to_apply") or instruction.called("calls")
            if target:
                yield from _within(module, target, times)
        for branch in instruction.branches:
            yield from _within(module, branch, times)


def trip_count(module: Module, loop: Instruction, enclosing: Mapping[str, Instruction]) -> int:
    """Iterations of a `while`.

    TPU modules carry no `known_trip_count`. Loops that come from a scan count by 1 up to the one
    integer constant of their condition, from 0, or from 1 where the compiler has taken the
    first iteration out of the loop.

    Args:
      module: the whole module.
      loop: the instruction.
      around: the computation that holds it.

    Raises:
      UnknownTripCountError: the condition has no such constant or several.
    """
    known = re.search(r'"known_trip_count":\{"n":"(\d+)"\}', loop.attributes)
    if known:
        return int(known[1])
    condition = loop.called("condition")
    assert condition is not None
    bounds = set(_integer_constants(module, condition))
    if len(bounds) != 1:
        raise UnknownTripCountError(
            f"loop {loop.name}: its condition holds the constants {sorted(bounds)}; exactly one, "
            "the bound of a scan, can be read"
        )
    return bounds.pop() - _initial_count(module, condition, loop, enclosing)


def _initial_count(
    module: Module, condition: str, loop: Instruction, enclosing: Mapping[str, Instruction]
) -> int:
    """The counter's first value: a constant of the loop's initial tuple; 0 where none is found."""
    # The condition compares one element of the loop's tuple: that element is the counter.
    read = [i for i in module.computations[condition].values() if i.opcode == "get-tuple-element"]
    initial = enclosing.get(loop.operands[0])
    if len(read) != 1 or initial is None or initial.opcode != "tuple":
        return 0
    index = read[0].number("index")
    assert index is not None
    value = enclosing.get(initial.operands[index])
    while value is not None and value.opcode in ("copy", "bitcast"):
        value = enclosing.get(value.operands[0])
    return int(value.literal) if value is not None and value.opcode == "constant" else 0


def _integer_constants(module: Module, name: str) -> Iterator[int]:
    for instruction in module.computations[name].values():
        if instruction.opcode == "constant" and re.match(r"[su]32\[\]", instruction.shape):
            yield int(instruction.literal)
        target = instruction.called("calls")
        if target:
            yield from _integer_constants(module, target)
