# SPDX-License-Identifier: Apache-2.0
"""A loss over all image-text pairs, described by one block of them, so that it can be cut."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp

from medst_jax.array_types import Array
from medst_jax.losses.cross_entropy import candidate_pairs
from medst_jax.losses.pairwise import Pairwise


class Side(NamedTuple):
    """The rows (images) or the columns (texts) of the matrix of pairs.

    Attributes:
      values: differentiable arrays [B, ...].
      constants: arrays [B, ...] without gradient: labels, masks, ids.
      valid: bool [B], which rows count.
      position: int32 [B]; a row and a column of one position are the matched pair.
    """

    values: Any
    constants: Any
    valid: jax.Array
    position: jax.Array


class Pairs(NamedTuple):
    """Arrays [B, B] over pairs: differentiable ones, and constants."""

    values: Any
    constants: Any


class Block(NamedTuple):
    """What a block of r rows and c columns contributes.

    Attributes:
      logits: [r, c].
      positives: bool [r, c], pairs that may be targets; the matched pair always is.
      candidates: bool [r, c], pairs that count at all; positives always do.
      target_logits: [r, c], whose softmax over the positives gives the targets, or None where all
        positives of a row weigh the same.
    """

    logits: jax.Array
    positives: jax.Array
    candidates: jax.Array
    target_logits: jax.Array | None = None


@runtime_checkable
class Reduction(Protocol):
    """How blocks add up to a loss."""

    def initial_statistics(self, size: int, dtype: Any) -> Any:
        """Statistics [size] of rows or columns before any block."""

    def block_statistics(self, block: Block) -> tuple[Any, Any]:
        """Statistics of the block's rows and of its columns."""

    def combine(self, first: Any, second: Any) -> Any:
        """Statistics of two blocks as one."""

    def loss(self, row_statistics: Any, column_statistics: Any, valid: jax.Array) -> jax.Array:
        """The loss, from the statistics of all rows and columns."""

    def surrogate(
        self, block: Block, row_statistics: Any, column_statistics: Any, rows: Side, columns: Side
    ) -> jax.Array:
        """A scalar whose sum over blocks has the gradient of the loss times its valid rows.

        Statistics of the whole matrix are constants in it.
        """


@runtime_checkable
class RefinedReduction(Reduction, Protocol):
    """A reduction whose loss needs a second look at the blocks, with the first statistics known."""

    def refine(self, block: Block, row_statistics: Any, column_statistics: Any) -> tuple[Any, Any]:
        """What the block adds to the statistics of its rows and of its columns, summed over blocks.

        The statistics are those of the whole matrix after the first pass.
        """


@dataclasses.dataclass(frozen=True)
class BlockwiseLoss:
    """One loss on one batch.

    Attributes:
      reduction: how blocks add up.
      block: (scalars, rows, columns, pairs) to a Block, of any slice of the last three; closes
        over no array.
      scalars: differentiable scalars, such as the scale.
      rows: the image side.
      columns: the text side.
      pairs: arrays over both.
    """

    reduction: Reduction
    block: Callable[[Any, Side, Side, Pairs], Block]
    scalars: Any
    rows: Side
    columns: Side
    pairs: Pairs


def side(values: Any, constants: Any, valid: jax.Array) -> Side:
    """A side whose rows are numbered in their order."""
    return Side(values, constants, valid, jnp.arange(len(valid), dtype=jnp.int32))


def matched(rows: Side, columns: Side) -> jax.Array:
    """Bool [r, c]: image and text of one row of the batch."""
    return rows.position[:, None] == columns.position[None, :]


def candidates(
    rows: Side, columns: Side, positives: jax.Array, negatives: Array | None
) -> jax.Array:
    """Bool [r, c]: positives, and pairs of valid rows that may be negatives."""
    return candidate_pairs(positives, rows.valid, columns.valid, negatives)


class MatrixParts(NamedTuple):
    """A matrix over pairs, taken apart into what goes with rows, with columns and with pairs.

    `block(rows, columns, pairs)` gives the block of the slices it is handed, None for no matrix.
    """

    rows: Any
    columns: Any
    pairs: Any
    block: Callable[[Any, Any, Any], Any]


def matrix_parts(matrix: Array | Pairwise | None) -> MatrixParts:
    """Take apart an array [B, B], a `Pairwise` or None."""
    if isinstance(matrix, Pairwise):
        function = matrix.function
        return MatrixParts(matrix.rows, matrix.columns, None, lambda r, c, p: function(r, c))
    return MatrixParts(None, None, matrix, lambda r, c, p: p)
