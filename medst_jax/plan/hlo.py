# SPDX-License-Identifier: Apache-2.0
"""The text of a compiled XLA module as computations and instructions."""

import dataclasses
import functools
import re
from collections.abc import Iterator

_BYTES = {"pred": 1, "s4": 0.5, "u4": 0.5, "s8": 1, "u8": 1, "s16": 2, "u16": 2, "bf16": 2}
_BYTES |= {"f16": 2, "s32": 4, "u32": 4, "f32": 4, "s64": 8, "u64": 8, "f64": 8}
_BYTES |= {"f8e4m3fn": 1, "f8e5m2": 1, "token": 0, "opaque": 0}
_ARRAY = re.compile(r"\b([a-z]+[0-9]*(?:e[0-9]m[0-9][a-z]*)?)\[([0-9,]*)\]")
_COMPUTATION = re.compile(r"^(ENTRY )?%?([\w.\-]+) \(.*\) -> .*\{$")
_INSTRUCTION = re.compile(r"^\s+(ROOT )?%?([\w.\-]+) = (.*)$")
_OPERAND = re.compile(r"%([\w.\-]+)")
_CALLED = re.compile(r"\b(calls|to_apply|condition|body)=%?([\w.\-]+)")
_BRANCHES = re.compile(r"\bbranch_computations=\{([^}]*)\}")


@dataclasses.dataclass(frozen=True)
class Instruction:
    """One instruction.

    Attributes:
      name: unique in its module.
      shape: the result's type as printed, possibly a tuple.
      opcode: for example "fusion", "while", "all-reduce".
      operands: names.
      attributes: everything after the operands, as printed.
      root: whether it is its computation's result.
    """

    name: str
    shape: str
    opcode: str
    operands: tuple[str, ...]
    literal: str
    attributes: str
    root: bool

    def called(self, attribute: str) -> str | None:
        """The computation named by `calls`, `to_apply`, `condition` or `body`."""
        targets = {name: target for name, target in _CALLED.findall(self.attributes)}
        return targets.get(attribute)

    @property
    def branches(self) -> tuple[str, ...]:
        """Computations of a conditional."""
        match = _BRANCHES.search(self.attributes)
        return tuple(_OPERAND.findall(match[1])) if match else ()

    def number(self, key: str) -> int | None:
        """The integer of `"key":"123"` or `key=123` in the attributes."""
        match = re.search(rf'"?\b{key}"?[=:]"?(\d+)', self.attributes)
        return int(match[1]) if match else None

    @property
    def scope(self) -> str:
        """Where it comes from in the traced program, "" when the compiler added it."""
        match = re.search(r'op_name="([^"]*)"', self.attributes)
        return match[1] if match else ""


@dataclasses.dataclass(frozen=True)
class Module:
    """Computations by name, and which of them is the entry."""

    computations: dict[str, dict[str, Instruction]]
    entry: str

    @functools.cached_property
    def by_name(self) -> dict[str, Instruction]:
        """All instructions of all computations."""
        return {instruction.name: instruction for instruction in self.instructions()}

    def instructions(self) -> Iterator[Instruction]:
        """All instructions of all computations."""
        for computation in self.computations.values():
            yield from computation.values()


def array_bytes(shape: str) -> int:
    """Bytes of every array in a printed type, tuples summed; layout padding is not counted.

    >>> array_bytes("(bf16[16,8]{1,0:T(8,128)(2,1)}, u32[])")
    260
    """
    return int(sum(_BYTES[kind] * _elements(dims) for kind, dims in _ARRAY.findall(shape)))


def largest_array_bytes(shape: str) -> int:
    """Bytes of the largest array in a printed type."""
    return int(max((_BYTES[k] * _elements(d) for k, d in _ARRAY.findall(shape)), default=0))


def tuple_parts(shape: str) -> list[str]:
    """The types of a printed tuple's elements; a type that is no tuple is its own only part.

    >>> tuple_parts("((f32[8]{0}, s32[]), f32[2,4]{1,0:T(8,128)})")
    ['(f32[8]{0}, s32[])', 'f32[2,4]{1,0:T(8,128)}']
    """
    if not shape.startswith("("):
        return [shape]
    parts, depth, start = [], 0, 1
    for position, character in enumerate(shape):
        depth += (character in "([{") - (character in ")]}")
        if (character == "," and depth == 1) or depth == 0:
            parts.append(shape[start:position].strip())
            start = position + 1
        if depth == 0:
            break
    return [part for part in parts if part]


def first_array(shape: str) -> tuple[str, tuple[int, ...]]:
    """Type and sizes of the first array in a printed type.

    >>> first_array("(bf16[16,8]{1,0}, u8[0]{0})")
    ('bf16', (16, 8))
    """
    match = _ARRAY.search(shape)
    if match is None:
        raise ValueError(f"{shape!r} holds no array")
    return match[1], tuple(int(size) for size in match[2].split(",") if size)


def parse_module(text: str) -> Module:
    """Read what `compiled.as_text()` printed.

    Raises:
      ValueError: the text holds no entry computation.
    """
    computations: dict[str, dict[str, Instruction]] = {}
    entry, current = "", None
    for line in text.splitlines():
        if current is None:
            header = _COMPUTATION.match(line)
            if header:
                current = computations.setdefault(header[2], {})
                entry = header[2] if header[1] else entry
        elif line.startswith("}"):
            current = None
        else:
            match = _INSTRUCTION.match(line)
            if match:
                instruction = _instruction(match[2], match[3], bool(match[1]))
                current[instruction.name] = instruction
    if not entry:
        raise ValueError("the text has no ENTRY computation: it is not a compiled XLA module")
    return Module(computations, entry)


def _instruction(name: str, text: str, root: bool) -> Instruction:
    shape, rest = _split_shape(text)
    opcode, _, rest = rest.partition("(")
    end = _closing(rest)
    inside, attributes = rest[:end], rest[end + 1 :].lstrip(", ")
    operands = tuple(_OPERAND.findall(inside))
    return Instruction(name, shape, opcode.strip(), operands, inside, attributes, root)


def _split_shape(text: str) -> tuple[str, str]:
    if text.startswith("("):
        end = _closing(text[1:]) + 2
        return text[:end], text[end:].lstrip()
    shape, _, rest = text.partition(" ")
    return shape, rest


def _closing(text: str) -> int:
    """Where the parenthesis opened just before `text` closes."""
    depth = 1
    for match in re.finditer(r"[()]", text):
        depth += 1 if match[0] == "(" else -1
        if depth == 0:
            return match.start()
    raise ValueError(f"unbalanced parentheses in {text[:80]!r}")


def _elements(dims: str) -> int:
    count = 1
    for size in dims.split(","):
        count *= int(size) if size else 1
    return count
