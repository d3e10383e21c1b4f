# SPDX-License-Identifier: Apache-2.0
"""Cross-entropy over rows and over columns from running sums: the online softmax.

A row's log-sum-exp is kept as its largest logit so far and the sum of exponentials below it, and
likewise for the softmax of its targets. Source: Milakov and Gimelshein, "Online normalizer
calculation for softmax", arXiv:1805.02867.
"""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from medst_jax.losses.forms.blockwise import Block, Side
from medst_jax.losses.shapes import masked_mean


class RunningSums(NamedTuple):
    """Of each row (column), scaled against overflow.

    Attributes:
      highest: the largest logit so far.
      total: sum of exp(logit - highest).
      target_highest: the largest target logit among the positives so far.
      target_total: sum of exp(target logit - target_highest).
      target_sum: sum of exp(target logit - target_highest) * logit.
    """

    highest: jax.Array
    total: jax.Array
    target_highest: jax.Array
    target_total: jax.Array
    target_sum: jax.Array


@dataclasses.dataclass(frozen=True)
class BothCrossEntropies:
    """`weight` times the sum of row-wise and column-wise cross-entropy, means over valid rows."""

    weight: float

    def initial_statistics(self, size: int, dtype: Any) -> RunningSums:
        lowest, nothing = jnp.full(size, jnp.finfo(dtype).min, dtype), jnp.zeros(size, dtype)
        return RunningSums(lowest, nothing, lowest, nothing, nothing)

    def block_statistics(self, block: Block) -> tuple[RunningSums, RunningSums]:
        return _running_sums(block, 1), _running_sums(block, 0)

    def combine(self, first: RunningSums, second: RunningSums) -> RunningSums:
        highest = jnp.maximum(first.highest, second.highest)
        target_highest = jnp.maximum(first.target_highest, second.target_highest)
        old, new = jnp.exp(first.highest - highest), jnp.exp(second.highest - highest)
        old_target = jnp.exp(first.target_highest - target_highest)
        new_target = jnp.exp(second.target_highest - target_highest)
        return RunningSums(
            highest,
            first.total * old + second.total * new,
            target_highest,
            first.target_total * old_target + second.target_total * new_target,
            first.target_sum * old_target + second.target_sum * new_target,
        )

    def loss(
        self, row_statistics: RunningSums, column_statistics: RunningSums, valid: jax.Array
    ) -> jax.Array:
        rows, columns = (
            masked_mean(_log_sum_exp(sums, valid) - _mean_target_logit(sums), valid)
            for sums in (row_statistics, column_statistics)
        )
        return self.weight * (rows + columns)

    def surrogate(
        self,
        block: Block,
        row_statistics: RunningSums,
        column_statistics: RunningSums,
        rows: Side,
        columns: Side,
    ) -> jax.Array:
        # With the log-sum-exp R of the whole row held constant, sum_j exp(logit_j - R) has the
        # gradient of R itself; likewise for the targets' softmax.
        each = _surrogate(block, row_statistics, rows.valid, 1) + _surrogate(
            block, column_statistics, columns.valid, 0
        )
        valid = rows.valid[:, None] & columns.valid[None, :]
        return self.weight * jnp.sum(jnp.where(valid, each, 0.0))


def _running_sums(block: Block, axis: int) -> RunningSums:
    highest, scaled = scaled_exponentials(block.logits, block.candidates, axis)
    target_logits = (
        jnp.zeros_like(block.logits) if block.target_logits is None else block.target_logits
    )
    target_highest, weights = scaled_exponentials(target_logits, block.positives, axis)
    return RunningSums(
        highest,
        jnp.sum(scaled, axis),
        target_highest,
        jnp.sum(weights, axis),
        jnp.sum(weights * block.logits, axis),
    )


def scaled_exponentials(
    values: jax.Array, where: jax.Array, axis: int
) -> tuple[jax.Array, jax.Array]:
    """The largest value along `axis`, and exp(value - largest), 0 outside `where`."""
    lowest = jnp.finfo(values.dtype).min
    highest = jnp.max(jnp.where(where, values, lowest), axis)
    above = values - jnp.expand_dims(highest, axis)
    return highest, jnp.exp(jnp.where(where, above, -jnp.inf))


def _log_sum_exp(sums: RunningSums, valid: jax.Array) -> jax.Array:
    return jnp.where(valid, sums.highest + jnp.log(jnp.where(valid, sums.total, 1.0)), 0.0)


def _mean_target_logit(sums: RunningSums) -> jax.Array:
    some = sums.target_total > 0
    return jnp.where(some, sums.target_sum / jnp.where(some, sums.target_total, 1.0), 0.0)


def _surrogate(block: Block, sums: RunningSums, valid: jax.Array, axis: int) -> jax.Array:
    def spread(values: jax.Array) -> jax.Array:
        return jnp.expand_dims(values, axis)

    logits = block.logits
    share = jnp.exp(
        jnp.where(block.candidates, logits - spread(_log_sum_exp(sums, valid)), -jnp.inf)
    )
    if block.target_logits is None:
        weights = block.positives / spread(jnp.maximum(sums.target_total, 1.0))
        return share - weights * logits
    total = sums.target_highest + jnp.log(jnp.where(sums.target_total > 0, sums.target_total, 1.0))
    above = jnp.where(block.positives, block.target_logits - spread(total), -jnp.inf)
    return share - jnp.exp(above) * (logits - spread(_mean_target_logit(sums)))
