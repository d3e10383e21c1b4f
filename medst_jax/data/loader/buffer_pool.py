# SPDX-License-Identifier: Apache-2.0
"""A pool of image buffers: memory of a batch that is gone serves a later batch.

The system clears and maps fresh memory page by page. For a small image that can take a quarter of
the time of decoding it.
"""

import math
import mmap
import weakref
from collections import defaultdict

import numpy as np


class BufferPool:
    """Allocates arrays; memory returns to the pool when nothing refers to its array any more.

    Safe in threads. A pickled copy starts with an empty pool.
    """

    def __init__(self) -> None:
        self._free: defaultdict[int, list[mmap.mmap]] = defaultdict(list)

    def __call__(self, shape: tuple[int, ...]) -> np.ndarray:
        """An array uint8 of this shape, its values left over from an earlier one."""
        size = math.prod(shape)
        free = self._free[size]
        # `list.pop` and `list.append` are atomic, so no lock is needed. A look at the length
        # before the pop would not be: another thread may take the last one in between.
        try:
            memory = free.pop()
        except IndexError:
            memory = _map_memory(size)
        array = np.ndarray(shape, np.uint8, memory)
        # The finalizer watches the array, not the memory. A view of the array refers to the array
        # (numpy makes the last array in a chain the base, and the mmap is no array), so the memory
        # is free only when the last view is gone.
        weakref.finalize(array, free.append, memory).atexit = False
        return array

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return BufferPool, ()


def _map_memory(size: int) -> mmap.mmap:
    if not hasattr(mmap, "MADV_HUGEPAGE"):
        return mmap.mmap(-1, max(1, size))
    memory = mmap.mmap(-1, max(1, size), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_HUGEPAGE)  # in small pages decoding is slower by a twentieth
    return memory
