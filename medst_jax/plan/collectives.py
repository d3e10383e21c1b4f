# SPDX-License-Identifier: Apache-2.0
"""The collectives of a compiled module: how often, over which network, with how many bytes."""

import collections
import dataclasses
import re
from collections.abc import Iterator, Sequence

import numpy as np

from medst_jax.plan.execution import executed
from medst_jax.plan.hlo import (
    Instruction,
    Module,
    array_bytes,
    largest_array_bytes,
    tuple_parts,
)
from medst_jax.plan.overlap import overlapped_starts

ICI, DCN = "ici", "dcn"
_KINDS = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute")
_ORDER = r"\[([\d,]+)\](?:T\(([\d,]+)\))?"  # numbers counted up in a shape, then transposed
_MESH = re.compile(
    rf"replica_groups=mesh\[([^\]]*)\](?:, device_ids=\({_ORDER}\))? \{{([\w',]*)\}}"
)
_IOTA = re.compile(rf"replica_groups=\[([\d,]+)\]<={_ORDER}")
_LISTS = re.compile(r"replica_groups=\{(\{[\d,{}]*\})\}")
_PAIRS = re.compile(r"source_target_pairs=\{(\{[\d,{}]*\})\}")


@dataclasses.dataclass(frozen=True)
class Collective:
    """One collective operation of the program.

    Attributes:
      kind: for example "all-reduce".
      network: "ici" within a slice or a node of GPUs, "dcn" between them.
      times: how often it runs in a step.
      bytes: what one device sends each time, by the ring algorithm.
      group: partitions of one group; of TPUs for ICI alone.
      blocking: whether the chip does nothing else meanwhile: the compiler writes what it found
        something to do beside as a start and an end, or spread over fusions.
    """

    kind: str
    network: str
    times: int
    bytes: float
    group: tuple[int, ...]
    blocking: bool = False


def collectives(
    module: Module, partitions: int, slices: int = 1, nodes: Sequence[int] | None = None
) -> list[Collective]:
    """All collectives that a step runs.

    The compiler spreads an asynchronous collective over fusions of one channel, some of them in
    loops that run meanwhile: it counts where it starts. A reduce-scatter is folded into a fusion of
    its own. Else channels tell nothing: several collectives may share one.

    Args:
      module: a compiled module.
      partitions: devices of the mesh.
      slices: of a topology of TPUs, whose compiler writes out what goes between them.
      nodes: of GPUs, the node of every partition: a group of several nodes uses the network between.
    """
    operations: list[Collective] = []
    beside = overlapped_starts(module) if nodes is not None else frozenset()
    asynchronous: dict[tuple[str, str, int | str], list[tuple[bool, Collective]]] = {}
    for outer, times in executed(module):
        for instruction, scattered in _fused_instructions(module, outer):
            collective = _parse_collective(instruction, times, partitions, slices, scattered)
            if collective is None:
                continue
            if nodes is not None:
                # Every collective of a GPU is written as a start and an end.
                between = len({nodes[member] for member in collective.group}) > 1
                operations.append(
                    dataclasses.replace(
                        collective,
                        network=DCN if between else ICI,
                        blocking=instruction.name not in beside,
                    )
                )
                continue
            if instruction is outer or scattered:
                # Written by itself: a plain collective blocks, a start has work beside it. Between
                # slices the host sends, while the device goes on.
                overlapped = instruction.opcode.endswith("-start") or collective.network == DCN
                operations.append(dataclasses.replace(collective, blocking=not overlapped))
                continue
            # A collective that is spread over fusions stands in each of them: collect these by
            # channel, and count the one that starts it.
            channel = instruction.number("channel_id") or instruction.name
            starts = outer.name.startswith("async-collective-start")
            asynchronous.setdefault((collective.kind, collective.network, channel), []).append(
                (starts, collective)
            )
    for parts in asynchronous.values():
        # Without a start, the fusion outside the loops is the collective itself.
        started = [one for starts, one in parts if starts]
        operations += started or [min((one for _, one in parts), key=lambda one: one.times)]
    return operations


def _fused_instructions(module: Module, outer: Instruction) -> Iterator[tuple[Instruction, bool]]:
    """The instruction, or those inside a fusion; whether that fusion keeps only a part."""
    target = outer.called("calls") if outer.opcode in ("fusion", "custom-call") else None
    if target is None:
        yield outer, False
        return
    for inner in module.computations[target].values():
        for instruction, scattered in _fused_instructions(module, inner):
            yield instruction, scattered or "all-reduce-scatter" in target


def _parse_collective(
    instruction: Instruction, times: int, partitions: int, slices: int, scattered: bool
) -> Collective | None:
    if instruction.opcode == "send" and "_xla_megascale_transfer_type" in instruction.attributes:
        return _between_slices(instruction, times, slices)
    kind = instruction.opcode.removesuffix("-start")
    if kind not in _KINDS:
        return None
    started = instruction.opcode.endswith("-start")
    size = array_bytes(_started(kind, instruction.shape) if started else instruction.shape)
    if kind == "collective-permute":
        group = _permute_group(instruction)
        return Collective(kind, ICI, times, size, group) if len(group) > 1 else None
    group = _replica_group(instruction, partitions)
    n = len(group)
    if n < 2:
        return None
    if kind == "all-reduce" and scattered:
        return Collective("reduce-scatter", ICI, times, size * (n - 1) / n, group)
    # Ring algorithm: a device passes on all parts but its own, in an all-reduce twice.
    sent = {
        "all-reduce": 2 * size * (n - 1) / n,
        "all-gather": size * (n - 1) / n,
        "reduce-scatter": size * (n - 1),  # the result is one of n parts
        "all-to-all": size * (n - 1) / n,
    }
    return Collective(kind, ICI, times, sent[kind], group)


def _started(kind: str, shape: str) -> str:
    """The result's type in that of a start: operand, result and context, but of an all-reduce alone."""
    return shape if kind == "all-reduce" else tuple_parts(shape)[1]


def _between_slices(instruction: Instruction, times: int, slices: int) -> Collective:
    match = re.search(r'_xla_megascale_transfer_type="(\w+)"', instruction.attributes)
    assert match is not None
    kind = match[1].lower().replace("_", "-")
    # A send's result is (what is sent, context, token).
    size = largest_array_bytes(instruction.shape)
    share = (slices - 1) / max(slices, 1)
    sent = {"all-reduce": 2 * share, "all-gather": slices - 1, "reduce-scatter": share}
    return Collective(kind, DCN, times, size * sent.get(kind, share), ())


def _replica_group(instruction: Instruction, partitions: int) -> tuple[int, ...]:
    """Members of the first group; all partitions where none is written.

    Raises:
      ValueError: groups written in a way that is not known; a guess would be a wrong estimate.
    """
    text = instruction.attributes
    # XLA writes groups in three ways: axes of a mesh, a reshaped and transposed count, plain lists.
    match = _MESH.search(text)
    if match:
        sizes = {k: int(v) for k, v in re.findall(r"'(\w+)'=(\d+)", match[1])}
        cut = set(re.findall(r"'(\w+)'", match[4]))
        members = _iota_devices(match[2] or str(partitions), match[3]).reshape(
            tuple(sizes.values())
        )
        first = tuple(slice(None) if name in cut else 0 for name in sizes)
        return tuple(int(m) for m in members[first].ravel())
    match = _IOTA.search(text)
    if match:
        return tuple(
            int(m) for m in _iota_devices(match[2], match[3]).reshape(_numbers(match[1]))[0]
        )
    match = _LISTS.search(text)
    if match:
        return _first_listed_group(match[1])
    written = re.search(r"replica_groups=(?!\{\}).{0,80}", text)
    if written:
        raise ValueError(f"{instruction.opcode} {instruction.name}: cannot read {written[0]!r}")
    return tuple(range(partitions))


def _iota_devices(shape: str, order: str | None) -> np.ndarray:
    sizes = _numbers(shape)
    iota = np.arange(int(np.prod(sizes))).reshape(sizes)
    return (iota.transpose(_numbers(order)) if order else iota).ravel()


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(",")))


def _permute_group(instruction: Instruction) -> tuple[int, ...]:
    """Both ends of the first pair that moves data."""
    match = _PAIRS.search(instruction.attributes)
    pairs = re.findall(r"\{(\d+),(\d+)\}", match[1]) if match else []
    moving = [(int(a), int(b)) for a, b in pairs if a != b]
    return moving[0] if moving else ()


def _first_listed_group(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.strip("{").split("}")[0].split(",") if number)


def summary(operations: list[Collective]) -> list[dict[str, str | int]]:
    """Kinds by network: how many run in a step, and the bytes that one device sends in it."""
    count: dict[tuple[str, str], int] = collections.Counter()
    sent: dict[tuple[str, str], float] = collections.defaultdict(float)
    for operation in operations:
        count[operation.kind, operation.network] += operation.times
        sent[operation.kind, operation.network] += operation.times * operation.bytes
    return [
        {"kind": kind, "network": network, "count": number, "bytes": round(sent[kind, network])}
        for (kind, network), number in sorted(count.items())
    ]
