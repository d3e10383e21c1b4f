# SPDX-License-Identifier: Apache-2.0
"""Short trainings of evaluation on examples that lie in memory: order, optimizer, answers in blocks."""

import functools
from collections.abc import Callable, Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np
import optax


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
    blocks = []
    for start in range(0, count, size):
        rows = np.arange(start, start + size)
        rows[rows >= count] = start
        blocks.append(np.asarray(function([jnp.asarray(array[rows]) for array in arrays])))
    return np.concatenate(blocks)[:count]


@functools.cache  # one object for equal values, so that runs share a compiled step
def adam(
    learning_rate: float, steps: int, weight_decay: float = 0.0, schedule: str = "cosine"
) -> optax.GradientTransformation:
    """Adam with decoupled weight decay (AdamW, arXiv:1711.05101).

    Args:
      learning_rate: the highest.
      steps: of the training.
      weight_decay: is multiplied by the rate of the step.
      schedule: "cosine": the rate rises over the first tenth of the steps and then falls as a cosine
        to zero; "constant".
    """
    warmup = max(1, steps // 10)
    rate: float | optax.Schedule = learning_rate
    if schedule == "cosine":
        rate = optax.warmup_cosine_decay_schedule(
            0.0, learning_rate, warmup, max(steps, warmup + 1)
        )
    return optax.adamw(rate, weight_decay=weight_decay) if weight_decay else optax.adam(rate)
