# SPDX-License-Identifier: Apache-2.0
"""A matrix of pairs cut into blocks: statistics and gradients, one block in memory at a time."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp

from medst_jax.losses.forms.pairs import Pairs, PairTask, Side
from medst_jax.losses.shapes import real

T = TypeVar("T")


class Arrays(NamedTuple):
    """The arrays of a task, or of a part of its matrix."""

    shared: Any
    rows: Side
    columns: Side
    pairs: Pairs

    @property
    def values(self) -> tuple[Any, Any, Any, Any]:
        """What is differentiable: (shared, rows, columns, pairs)."""
        return self.shared, self.rows.values, self.columns.values, self.pairs.values

    def with_values(self, values: tuple[Any, Any, Any, Any]) -> "Arrays":
        """The same facts with other values."""
        shared, rows, columns, pairs = values
        return Arrays(
            shared,
            self.rows._replace(values=rows),
            self.columns._replace(values=columns),
            self.pairs._replace(values=pairs),
        )


@dataclasses.dataclass(frozen=True)
class Cut:
    """`count` chunks of `size` rows; the last may be filled up with rows that do not count."""

    count: int
    size: int

    @property
    def rows(self) -> int:
        return self.count * self.size


def cut(rows: int, chunk: int) -> Cut:
    """As few chunks as a size of at most `chunk` allows, all alike."""
    if chunk < 1:
        raise ValueError(f"chunk is {chunk}; it must be at least 1")
    count = math.ceil(rows / chunk)
    return Cut(count, math.ceil(rows / count))


def filled(side: Side, rows: int, position: int) -> Side:
    """The side with rows appended that do not count, `rows` in all."""
    missing = rows - len(side.valid)
    if missing == 0:
        return side

    def pad(leaf: jax.Array) -> jax.Array:
        return jnp.pad(leaf, [(0, missing), *[(0, 0)] * (leaf.ndim - 1)])

    padded = jax.tree.map(pad, side)
    return padded._replace(position=jnp.pad(side.position, (0, missing), constant_values=position))


def measure(task: PairTask, arrays: Arrays, stats: tuple[T, T], cuts: Cut) -> tuple[T, T]:
    """Merge the statistics of all blocks into those of the rows and of the columns."""

    def add(part: Arrays, at: tuple[Any, Any], stats: tuple[T, T]) -> tuple[T, T]:
        block = task.block(part.shared, part.rows, part.columns, part.pairs)
        merged = (
            task.family.merge(_take(old, start, cuts.size), new)
            for old, new, start in zip(stats, task.family.measure(block), at, strict=True)
        )
        row_stats, column_stats = (
            _put(old, new, (start,)) for old, new, start in zip(stats, merged, at, strict=True)
        )
        return row_stats, column_stats

    return _each_block(add, arrays, stats, cuts)


def slope(
    task: PairTask,
    arrays: Arrays,
    stats: tuple[Any, Any],
    count: jax.Array,
    gradients: tuple[Any, Any, Any, Any],
    cuts: Cut,
) -> tuple[Any, Any, Any, Any]:
    """Add the gradients of all blocks to `gradients`, in the precision of those.

    Args:
      task: the loss.
      arrays: rows and columns, filled up to `cuts`.
      stats: of the whole matrix, for these rows and these columns.
      count: valid rows of the whole batch.
      gradients: of `arrays.values`.
      cuts: of rows and columns.
    """

    def add(part: Arrays, at: tuple[Any, Any], gradients: Any) -> Any:
        own = [_take(s, start, cuts.size) for s, start in zip(stats, at, strict=True)]

        def scalar(values: Any) -> jax.Array:
            moved = part.with_values(values)
            block = task.block(moved.shared, moved.rows, moved.columns, moved.pairs)
            return task.family.slope(block, own[0], own[1], part.rows, part.columns) / count

        shared, rows, columns, pairs = jax.grad(scalar)(jax.tree.map(real, part.values))
        return (
            jax.tree.map(jnp.add, gradients[0], shared),
            _add(gradients[1], rows, at[:1], cuts.size),
            _add(gradients[2], columns, at[1:], cuts.size),
            _put(gradients[3], pairs, at),
        )

    return _each_block(add, arrays, gradients, cuts)


def _each_block(
    add: Callable[[Arrays, tuple[Any, Any], Any], Any], arrays: Arrays, carry: Any, cuts: Cut
) -> Any:
    def body(number: Any, carry: Any) -> Any:
        at = (number // cuts.count) * cuts.size, (number % cuts.count) * cuts.size
        part = Arrays(
            arrays.shared,
            _take(arrays.rows, at[0], cuts.size),
            _take(arrays.columns, at[1], cuts.size),
            jax.tree.map(
                lambda leaf: jax.lax.dynamic_slice(leaf, at, (cuts.size, cuts.size)), arrays.pairs
            ),
        )
        return add(part, at, carry)

    if cuts.count == 1:
        return body(0, carry)
    return jax.lax.fori_loop(0, cuts.count**2, body, carry)


def _take(tree: T, start: Any, size: int) -> T:
    return jax.tree.map(lambda leaf: jax.lax.dynamic_slice_in_dim(leaf, start, size), tree)


def _put(tree: T, part: Any, at: tuple[Any, ...]) -> T:
    def one(leaf: jax.Array, piece: jax.Array) -> jax.Array:
        start = (*at, *[0] * (leaf.ndim - len(at)))
        return jax.lax.dynamic_update_slice(leaf, piece.astype(leaf.dtype), start)

    return jax.tree.map(one, tree, part)


def _add(tree: T, part: Any, at: tuple[Any, ...], size: int) -> T:
    return _put(tree, jax.tree.map(jnp.add, _take(tree, at[0], size), part), at)
