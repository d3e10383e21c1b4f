# SPDX-License-Identifier: Apache-2.0
"""Arrays that a worker process fills and another process reads, without a copy.

Fresh memory is cleared and mapped page by page by the system, which for a small image takes a
quarter of the time of decoding it. Blocks of memory are therefore used again: one is free as soon as
nothing in the reading process refers to its array any more, which a byte in the block itself says.
Blocks have no name, so that none outlives its processes.
"""

import math
import mmap
import os
import threading
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

# Memory without a name that another process can open is a feature of Linux.
SUPPORTED = hasattr(os, "memfd_create")

_HEADER = mmap.PAGESIZE  # its first byte: whether the block is taken
_FREE, _TAKEN = 0, 1


class _Place(NamedTuple):
    """A block by the process that made it and the file descriptor there."""

    process: int
    descriptor: int
    size: int


class _Block(NamedTuple):
    place: _Place
    memory: mmap.mmap


@dataclass(frozen=True)
class Handed:
    """A batch on its way: arrays that lie in blocks by place and shape, the others as they are.

    A dict would be a tree to grain, which puts each array of one into a memory of its own.
    """

    shared: dict[str, tuple[_Place, tuple[int, ...]]]
    plain: dict[str, np.ndarray]


class SharedArrays:
    """Gives out arrays in shared blocks; those of a worker process. Copies start without blocks."""

    def __init__(self) -> None:
        self._blocks: list[_Block] = []
        self._choosing = threading.Lock()

    def __call__(self, shape: tuple[int, ...]) -> np.ndarray:
        """An array uint8 of this shape, its values left over from an earlier one."""
        size = _HEADER + math.prod(shape)
        with self._choosing:
            block = next((b for b in self._blocks if b.place.size == size and _is_free(b)), None)
            if block is None:
                block = _new_block(size)
                self._blocks.append(block)
            block.memory[0] = _TAKEN
        return _array(block.memory, shape)

    def hand_over(self, rows: Mapping[str, np.ndarray]) -> Handed:
        """The batch as another process can open it; the blocks are then that process' to free."""
        of = {id(block.memory): block.place for block in self._blocks}
        shared, plain = {}, {}
        for key, value in rows.items():
            place = of.get(id(value.base))
            if place is None:
                plain[key] = value
            else:
                shared[key] = place, value.shape
        return Handed(shared, plain)

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return SharedArrays, ()


class OpenShared:
    """Opens what `SharedArrays.hand_over` gave, in the reading process."""

    def __init__(self) -> None:
        self._memory: dict[_Place, mmap.mmap] = {}

    def __call__(self, handed: Handed) -> dict[str, np.ndarray]:
        """The batch. Its images stay as they are for as long as anything refers to them."""
        rows = dict(handed.plain)
        for key, (place, shape) in handed.shared.items():
            memory = self._memory.get(place)
            if memory is None:
                memory = self._memory[place] = _map(place)
            rows[key] = _array(memory, shape)
            weakref.finalize(rows[key], _release, memory).atexit = False
        return rows


def _new_block(size: int) -> _Block:
    descriptor = os.memfd_create("medst_jax batch")
    os.ftruncate(descriptor, size)
    place = _Place(os.getpid(), descriptor, size)
    return _Block(place, mmap.mmap(descriptor, size))


def _map(place: _Place) -> mmap.mmap:
    with open(f"/proc/{place.process}/fd/{place.descriptor}", "r+b") as file:
        return mmap.mmap(file.fileno(), place.size)


def _array(memory: mmap.mmap, shape: tuple[int, ...]) -> np.ndarray:
    return np.ndarray(shape, np.uint8, memory, _HEADER)


def _is_free(block: _Block) -> bool:
    return block.memory[0] == _FREE


def _release(memory: mmap.mmap) -> None:
    memory[0] = _FREE
