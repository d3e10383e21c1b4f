# SPDX-License-Identifier: Apache-2.0
"""Arrays for the images of batches, in memory that is used again once a batch is gone.

The system clears and maps fresh memory page by page, which for a small image can take a quarter of
the time of decoding it.
"""

import math
import mmap
import weakref
from collections import defaultdict

import numpy as np


class ReusedArrays:
    """Gives out arrays; memory is free again when nothing refers to its array any more.

    Safe in threads; copies start without memory.
    """

    def __init__(self) -> None:
        self._free: defaultdict[int, list[mmap.mmap]] = defaultdict(list)

    def __call__(self, shape: tuple[int, ...]) -> np.ndarray:
        """An array uint8 of this shape, its values left over from an earlier one."""
        size = math.prod(shape)
        free = self._free[size]
        try:
            memory = free.pop()
        except IndexError:
            memory = _new(size)
        array = np.ndarray(shape, np.uint8, memory)
        # A view holds this array: numpy gives it as base the last array there is, and the memory
        # is none.
        weakref.finalize(array, free.append, memory).atexit = False
        return array

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return ReusedArrays, ()


def _new(size: int) -> mmap.mmap:
    if not hasattr(mmap, "MADV_HUGEPAGE"):
        return mmap.mmap(-1, max(1, size))
    memory = mmap.mmap(-1, max(1, size), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_HUGEPAGE)  # in small pages decoding is slower by a twentieth
    return memory
