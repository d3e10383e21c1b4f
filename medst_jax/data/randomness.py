# SPDX-License-Identifier: Apache-2.0
"""Host randomness keyed by (seed, purpose, position), so that draws never depend on workers."""

import zlib

import numpy as np


def purpose_number(purpose: str) -> int:
    """A 32-bit number of a purpose's name, the same in every process and version."""
    return zlib.crc32(purpose.encode())


def generator(seed: int, purpose: str, position: int = 0) -> np.random.Generator:
    """The generator of one stream position; `seed` in [0, 2**32), `position` in [0, 2**64)."""
    key = (seed << 96) | (purpose_number(purpose) << 64) | position
    return np.random.Generator(np.random.Philox(key=key))


def rotation(count: int, seed: int, purpose: str) -> np.ndarray:
    """A random permutation int64 [count] that is one cycle: nothing stays in its place.

    Raises:
      ValueError: fewer than two things to permute.
    """
    if count < 2:
        raise ValueError(f"cannot shuffle {count} studies: at least two are needed")
    order = generator(seed, purpose).permutation(count)
    moved = np.empty(count, np.int64)
    moved[order] = np.roll(order, -1)
    return moved
