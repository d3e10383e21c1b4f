# SPDX-License-Identifier: Apache-2.0
"""Shared memory for batches: a worker process fills a buffer, another process reads it uncopied.

Fresh memory is cleared and mapped page by page by the system, which for a small image takes a
quarter of the time of decoding it. So buffers are used again. One is free as soon as nothing in the
reading process refers to its array any more; a byte in the buffer itself says so. Buffers have no
name, so that none outlives its processes.
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

# The first byte says whether the buffer is taken. A whole page, so that the image begins one too.
_HEADER = mmap.PAGESIZE
_FREE, _TAKEN = 0, 1


class _Address(NamedTuple):
    """Where a buffer is: the process that made it and the file descriptor there."""

    process: int
    descriptor: int
    size: int


class _Buffer(NamedTuple):
    address: _Address
    memory: mmap.mmap


@dataclass(frozen=True)
class SharedBatch:
    """A batch on its way between processes.

    shared: batch key -> address and shape of an array that lies in a buffer.
    plain: the other arrays as they are.
    """

    # Not a dict of arrays: to grain that is a tree, and it puts each array into a memory of its own.
    shared: dict[str, tuple[_Address, tuple[int, ...]]]
    plain: dict[str, np.ndarray]


class SharedBufferPool:
    """Allocates arrays in the shared buffers of a worker process.

    A pickled copy starts with an empty pool.
    """

    def __init__(self) -> None:
        self._buffers: list[_Buffer] = []
        self._lock = threading.Lock()

    def __call__(self, shape: tuple[int, ...]) -> np.ndarray:
        """An array uint8 of this shape, its values left over from an earlier one."""
        size = _HEADER + math.prod(shape)
        # Two reader threads must not find the same buffer free.
        with self._lock:
            fitting = (b for b in self._buffers if b.address.size == size and _is_free(b))
            buffer = next(fitting, None)
            if buffer is None:
                buffer = _new_buffer(size)
                self._buffers.append(buffer)
            buffer.memory[0] = _TAKEN
        return _array(buffer.memory, shape)

    def share(self, rows: Mapping[str, np.ndarray]) -> SharedBatch:
        """The batch as another process can open it, which from then on frees its buffers."""
        addresses = {id(buffer.memory): buffer.address for buffer in self._buffers}
        shared, plain = {}, {}
        for key, value in rows.items():
            address = addresses.get(id(value.base))
            if address is None:
                plain[key] = value
            else:
                shared[key] = address, value.shape
        return SharedBatch(shared, plain)

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return SharedBufferPool, ()


class SharedBatchReader:
    """Opens what `SharedBufferPool.share` gave, in the reading process."""

    def __init__(self) -> None:
        # Each buffer is mapped once: a new mapping per batch would cost what the pool saves.
        self._memory: dict[_Address, mmap.mmap] = {}

    def __call__(self, batch: SharedBatch) -> dict[str, np.ndarray]:
        """The batch. Its images stay as they are for as long as anything refers to them."""
        rows = dict(batch.plain)
        for key, (address, shape) in batch.shared.items():
            memory = self._memory.get(address)
            if memory is None:
                memory = self._memory[address] = _map_buffer(address)
            rows[key] = _array(memory, shape)
            weakref.finalize(rows[key], _release, memory).atexit = False
        return rows


def _new_buffer(size: int) -> _Buffer:
    descriptor = os.memfd_create("medst_jax batch")
    os.ftruncate(descriptor, size)
    address = _Address(os.getpid(), descriptor, size)
    return _Buffer(address, mmap.mmap(descriptor, size))


def _map_buffer(address: _Address) -> mmap.mmap:
    with open(f"/proc/{address.process}/fd/{address.descriptor}", "r+b") as file:
        return mmap.mmap(file.fileno(), address.size)


def _array(memory: mmap.mmap, shape: tuple[int, ...]) -> np.ndarray:
    return np.ndarray(shape, np.uint8, memory, _HEADER)


def _is_free(buffer: _Buffer) -> bool:
    return buffer.memory[0] == _FREE


def _release(memory: mmap.mmap) -> None:
    memory[0] = _FREE
