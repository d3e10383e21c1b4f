# SPDX-License-Identifier: Apache-2.0
"""A matrix of pairs cut into blocks: statistics and gradients, one block in memory at a time."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp

from medst_jax.losses.forms.blockwise import BlockwiseLoss, Pairs, RefinedReduction, Side
from medst_jax.losses.shapes import real

T = TypeVar("T")


class Arrays(NamedTuple):
    """The arrays of a blockwise loss, or of a part of its matrix."""

    scalars: Any
    rows: Side
    columns: Side
    pairs: Pairs

    @property
    def values(self) -> tuple[Any, Any, Any, Any]:
        """What is differentiable: (scalars, rows, columns, pairs)."""
        return self.scalars, self.rows.values, self.columns.values, self.pairs.values

    def with_values(self, values: tuple[Any, Any, Any, Any]) -> "Arrays":
        """The same constants with other values."""
        scalars, rows, columns, pairs = values
        return Arrays(
            scalars,
            self.rows._replace(values=rows),
            self.columns._replace(values=columns),
            self.pairs._replace(values=pairs),
        )


@dataclasses.dataclass(frozen=True)
class Chunks:
    """`count` chunks of `size` rows; the last may be filled up with rows that do not count."""

    count: int
    size: int

    @property
    def rows(self) -> int:
        return self.count * self.size


def split_evenly(rows: int, largest: int) -> Chunks:
    """As few chunks as a size of at most `largest` allows, all alike."""
    if largest < 1:
        raise ValueError(f"chunk is {largest}; it must be at least 1")
    count = math.ceil(rows / largest)
    return Chunks(count, math.ceil(rows / count))


def pad_side(side: Side, rows: int, position: int) -> Side:
    """The side with rows appended that do not count, `rows` in all, of that `position`."""
    missing = rows - len(side.valid)
    if missing == 0:
        return side

    def pad(leaf: Any) -> jax.Array:
        return jnp.pad(leaf, [(0, missing), *[(0, 0)] * (leaf.ndim - 1)])

    padded = jax.tree.map(pad, side)
    return padded._replace(position=jnp.pad(side.position, (0, missing), constant_values=position))


def add_statistics(
    loss: BlockwiseLoss, arrays: Arrays, statistics: tuple[T, T], chunks: Chunks
) -> tuple[T, T]:
    """Add all blocks to the statistics of the rows and of the columns."""

    def add(part: Arrays, start: tuple[Any, Any], statistics: tuple[T, T]) -> tuple[T, T]:
        block = loss.block(part.scalars, part.rows, part.columns, part.pairs)
        combined = (
            loss.reduction.combine(_slice_rows(old, at, chunks.size), new)
            for old, new, at in zip(
                statistics, loss.reduction.block_statistics(block), start, strict=True
            )
        )
        of_rows, of_columns = (
            _write(old, new, (at,))
            for old, new, at in zip(statistics, combined, start, strict=True)
        )
        return of_rows, of_columns

    return _fold_blocks(add, arrays, statistics, chunks)


def add_refinements(
    loss: BlockwiseLoss,
    arrays: Arrays,
    statistics: tuple[T, T],
    refined: tuple[T, T],
    chunks: Chunks,
) -> tuple[T, T]:
    """Add what all blocks contribute with `statistics` known to `refined`, of rows and columns."""
    reduction = loss.reduction
    assert isinstance(reduction, RefinedReduction)

    def add(part: Arrays, start: tuple[Any, Any], refined: tuple[T, T]) -> tuple[T, T]:
        block = loss.block(part.scalars, part.rows, part.columns, part.pairs)
        known = (
            _slice_rows(whole, at, chunks.size) for whole, at in zip(statistics, start, strict=True)
        )
        of_rows, of_columns = (
            _add_rows(whole, new, at, chunks.size)
            for whole, new, at in zip(refined, reduction.refine(block, *known), start, strict=True)
        )
        return of_rows, of_columns

    return _fold_blocks(add, arrays, refined, chunks)


def add_gradients(
    loss: BlockwiseLoss,
    arrays: Arrays,
    statistics: tuple[Any, Any],
    valid_count: jax.Array,
    gradients: tuple[Any, Any, Any, Any],
    chunks: Chunks,
) -> tuple[Any, Any, Any, Any]:
    """Add the gradients of all blocks to `gradients`, in the precision of those.

    Args:
      loss: what to differentiate.
      arrays: rows and columns, filled up to `chunks`.
      statistics: of the whole matrix, for these rows and these columns.
      valid_count: valid rows of the whole batch.
      gradients: of `arrays.values`.
      chunks: of rows and columns.
    """

    def add(part: Arrays, start: tuple[Any, Any], gradients: Any) -> Any:
        of_rows, of_columns = (
            _slice_rows(whole, at, chunks.size) for whole, at in zip(statistics, start, strict=True)
        )

        def scalar(values: Any) -> jax.Array:
            moved = part.with_values(values)
            block = loss.block(moved.scalars, moved.rows, moved.columns, moved.pairs)
            total = loss.reduction.surrogate(block, of_rows, of_columns, part.rows, part.columns)
            return total / valid_count

        scalars, rows, columns, pairs = jax.grad(scalar)(jax.tree.map(real, part.values))
        return (
            jax.tree.map(jnp.add, gradients[0], scalars),
            _add_rows(gradients[1], rows, start[0], chunks.size),
            _add_rows(gradients[2], columns, start[1], chunks.size),
            _write(gradients[3], pairs, start),
        )

    return _fold_blocks(add, arrays, gradients, chunks)


def _fold_blocks(
    add: Callable[[Arrays, tuple[Any, Any], Any], Any], arrays: Arrays, carry: Any, chunks: Chunks
) -> Any:
    """`carry` after `add(arrays of a block, its first row and column, carry)` of every block."""

    def body(number: Any, carry: Any) -> Any:
        start = (number // chunks.count) * chunks.size, (number % chunks.count) * chunks.size
        square = (chunks.size, chunks.size)
        part = Arrays(
            arrays.scalars,
            _slice_rows(arrays.rows, start[0], chunks.size),
            _slice_rows(arrays.columns, start[1], chunks.size),
            jax.tree.map(lambda leaf: jax.lax.dynamic_slice(leaf, start, square), arrays.pairs),
        )
        return add(part, start, carry)

    if chunks.count == 1:
        return body(0, carry)
    return jax.lax.fori_loop(0, chunks.count**2, body, carry)


def _slice_rows(tree: T, start: Any, size: int) -> T:
    return jax.tree.map(lambda leaf: jax.lax.dynamic_slice_in_dim(leaf, start, size), tree)


def _write(tree: T, part: Any, start: tuple[Any, ...]) -> T:
    def write(leaf: Any, piece: Any) -> jax.Array:
        everywhere = (*start, *[0] * (leaf.ndim - len(start)))
        return jax.lax.dynamic_update_slice(leaf, piece.astype(leaf.dtype), everywhere)

    return jax.tree.map(write, tree, part)


def _add_rows(tree: T, part: Any, start: Any, size: int) -> T:
    return _write(tree, jax.tree.map(jnp.add, _slice_rows(tree, start, size), part), (start,))
