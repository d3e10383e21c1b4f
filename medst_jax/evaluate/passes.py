# SPDX-License-Identifier: Apache-2.0
"""Passes over examples that lie in memory: in random order for training, in order for answers."""

from collections.abc import Callable, Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np


def orders(count: int, size: int, steps: int, seed: int) -> Iterator[np.ndarray]:
    """Rows int [size] of each of `steps` steps: one pass in random order after the other."""
    rng = np.random.default_rng(seed)
    waiting = np.zeros(0, np.int64)
    for _ in range(steps):
        while len(waiting) < size:
            waiting = np.concatenate([waiting, rng.permutation(count)])
        yield waiting[:size]
        waiting = waiting[size:]


def in_blocks(
    function: Callable[[Sequence[jax.Array]], jax.Array], arrays: Sequence[np.ndarray], size: int
) -> np.ndarray:
    """`function` of all rows of `arrays` [n, ...], `size` at a time.

    The last block is filled up by its first row, so that one compilation serves.
    """
    count = len(arrays[0])
    found = []
    for start in range(0, count, size):
        rows = np.arange(start, start + size)
        rows[rows >= count] = start
        found.append(np.asarray(function([jnp.asarray(array[rows]) for array in arrays])))
    return np.concatenate(found)[:count]
