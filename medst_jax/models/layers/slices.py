# SPDX-License-Identifier: Apache-2.0
"""A function of a batch applied to parts of it, one after the other, on every device."""

from collections.abc import Callable
from typing import Any

import jax

from medst_jax.parallel.placement import UNPLACED, by_example, current_placement


def map_slices(
    function: Callable[[jax.Array, Any], jax.Array], slices: int, x: jax.Array, rows: Any
) -> jax.Array:
    """`function(x, rows)`, computed in `slices` parts of the rows that each device holds.

    Parts save the memory of a training step; a model on its own, which may be given a batch of
    any size, computes the whole at once.

    Args:
      function: treats every example alone; [b, ...] and `rows` of b examples to [b, ...].
      slices: number of parts.
      x: [B, ...].
      rows: a pytree of arrays [B, ...].

    Raises:
      ValueError: a device's rows are not divisible by `slices`; names both numbers.
    """
    placement = current_placement()
    if slices == 1 or placement is UNPLACED:
        return function(x, rows)
    shards = placement.batch_shards()
    own = x.shape[0] // shards
    if own % slices:
        raise ValueError(
            f"{own} examples per device are not divisible by slices={slices}; change the "
            "encoder's option slices or the batch size"
        )

    def cut(value: jax.Array) -> jax.Array:
        # [B] is contiguous per device: splitting it as (device, slice, row) and taking the slice
        # moves nothing between devices.
        parts = value.reshape(shards, slices, own // slices, *value.shape[1:])
        return _pin(parts.swapaxes(0, 1), 1)

    def run(part: tuple[jax.Array, Any]) -> jax.Array:
        x, rows = jax.tree.map(lambda v: by_example(v.reshape(-1, *v.shape[2:])), part)
        result = function(x, rows)
        return result.reshape(shards, -1, *result.shape[1:])

    done = _pin(jax.lax.map(run, (cut(x), jax.tree.map(cut, rows))), 1)
    return by_example(done.swapaxes(0, 1).reshape(x.shape[0], *done.shape[3:]))


def _pin(x: jax.Array, where: int) -> jax.Array:
    """Dimension `where` of `x` counts the batch's shards; nothing else is cut."""
    names = [None] * x.ndim
    return current_placement().constrain(x, [*names[:where], "batch", *names[where + 1 :]])
