# SPDX-License-Identifier: Apache-2.0
"""Losses over all image-text pairs, described block by block so that each form can cut them."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, Generic, NamedTuple, ParamSpec, Protocol

import jax
import jax.numpy as jnp

P = ParamSpec("P")


class Side(NamedTuple):
    """The rows (images) or columns (texts) of the matrix of pairs.

    Attributes:
      values: differentiable arrays [B, ...].
      facts: arrays [B, ...] without gradient: labels, masks, ids.
      valid: bool [B], which rows count.
      position: int32 [B]; a row and a column of one position are the matched pair.
    """

    values: Any
    facts: Any
    valid: jax.Array
    position: jax.Array


class Pairs(NamedTuple):
    """Arrays [B, B] over pairs: differentiable ones, and facts."""

    values: Any
    facts: Any


class Block(NamedTuple):
    """What a block of r rows and c columns contributes.

    Attributes:
      logits: [r, c].
      taking_part: bool [r, c], pairs that count at all; the matched pair always does.
      positives: bool [r, c], pairs that may be targets; the matched pair always is.
      preference: [r, c], logarithm of a positive's weight as a target, or None for equal weights.
    """

    logits: jax.Array
    taking_part: jax.Array
    positives: jax.Array
    preference: jax.Array | None = None


class Family(Protocol):
    """How blocks add up to a loss."""

    def dense(self, block: Block, rows: jax.Array, columns: jax.Array) -> jax.Array:
        """The loss of the whole matrix; `rows`, `columns` are bool [B], which count."""

    def empty(self, size: int, dtype: Any) -> Any:
        """Statistics [size] of rows or columns before any block."""

    def measure(self, block: Block) -> tuple[Any, Any]:
        """Statistics of the block's rows and of its columns."""

    def merge(self, first: Any, second: Any) -> Any:
        """Statistics of two blocks as one."""

    def value(self, row_stats: Any, column_stats: Any, valid: jax.Array) -> jax.Array:
        """The loss, from the statistics of all rows and columns."""

    def slope(
        self, block: Block, row_stats: Any, column_stats: Any, rows: Side, columns: Side
    ) -> jax.Array:
        """A scalar whose sum over blocks has the gradient of the loss times its valid rows.

        Statistics of the whole matrix are constants in it.
        """


@dataclasses.dataclass(frozen=True)
class PairTask:
    """One loss on one batch.

    Attributes:
      family: how blocks add up.
      block: (shared, rows, columns, pairs) to a Block, of any slice of the three; closes over
        no array.
      shared: differentiable scalars.
      rows: the image side.
      columns: the text side.
      pairs: arrays over both.
    """

    family: Family
    block: Callable[[Any, Side, Side, Pairs], Block]
    shared: Any
    rows: Side
    columns: Side
    pairs: Pairs


def both_valid(rows: Side, columns: Side) -> jax.Array:
    """Bool [r, c]: neither side of the pair is missing."""
    return rows.valid[:, None] & columns.valid[None, :]


def matched(rows: Side, columns: Side) -> jax.Array:
    """Bool [r, c]: image and text of one row of the batch."""
    return rows.position[:, None] == columns.position[None, :]


def taking_part(
    rows: Side, columns: Side, positives: jax.Array, negatives: jax.Array | None
) -> jax.Array:
    """Bool [r, c]: positives, and valid pairs that may be negatives."""
    valid = both_valid(rows, columns)
    return positives | (valid if negatives is None else valid & negatives.astype(bool))


def side(values: Any, facts: Any, valid: jax.Array) -> Side:
    """A side whose rows are numbered in their order."""
    return Side(values, facts, valid, jnp.arange(len(valid), dtype=jnp.int32))


class PairLoss(Generic[P]):
    """A loss over pairs, called with the whole matrix at once; `task` describes it in blocks."""

    def __init__(self, task: Callable[P, PairTask]) -> None:
        self.task = task
        functools.update_wrapper(self, task)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> jax.Array:
        task = self.task(*args, **kwargs)
        block = task.block(task.shared, task.rows, task.columns, task.pairs)
        return task.family.dense(block, task.rows.valid, task.columns.valid)
