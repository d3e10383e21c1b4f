# SPDX-License-Identifier: Apache-2.0
"""Cross-entropy over rows and over columns of a matrix of pairs, whole or from its blocks."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from medst_jax.losses.forms.pairs import Block, Side, both_valid
from medst_jax.losses.shapes import masked_mean


class Entropies(NamedTuple):
    """Running sums of one row's (column's) cross-entropy, scaled against overflow.

    Attributes:
      top: the largest logit so far.
      total: sum of exp(logit - top).
      target_top: the largest preference among the positives so far.
      target_total: sum of exp(preference - target_top).
      target_logit: sum of exp(preference - target_top) * logit.
    """

    top: jax.Array
    total: jax.Array
    target_top: jax.Array
    target_total: jax.Array
    target_logit: jax.Array


@dataclasses.dataclass(frozen=True)
class Contrastive:
    """`weight` times the sum of row-wise and column-wise cross-entropy, means over valid rows.

    A row's targets are the softmax of the preferences of its positives.
    """

    weight: float

    def dense(self, block: Block, rows: jax.Array, columns: jax.Array) -> jax.Array:
        transposed = jax.tree.map(jnp.transpose, block)
        return self.weight * (
            masked_mean(_row_cross_entropy(block), rows)
            + masked_mean(_row_cross_entropy(transposed), columns)
        )

    def empty(self, size: int, dtype: Any) -> Entropies:
        lowest, nothing = jnp.full(size, jnp.finfo(dtype).min, dtype), jnp.zeros(size, dtype)
        return Entropies(lowest, nothing, lowest, nothing, nothing)

    def measure(self, block: Block) -> tuple[Entropies, Entropies]:
        return _entropies(block, 1), _entropies(block, 0)

    def merge(self, first: Entropies, second: Entropies) -> Entropies:
        top = jnp.maximum(first.top, second.top)
        target_top = jnp.maximum(first.target_top, second.target_top)
        old, new = jnp.exp(first.top - top), jnp.exp(second.top - top)
        old_target = jnp.exp(first.target_top - target_top)
        new_target = jnp.exp(second.target_top - target_top)
        return Entropies(
            top,
            first.total * old + second.total * new,
            target_top,
            first.target_total * old_target + second.target_total * new_target,
            first.target_logit * old_target + second.target_logit * new_target,
        )

    def value(self, row_stats: Entropies, column_stats: Entropies, valid: jax.Array) -> jax.Array:
        rows, columns = (
            masked_mean(_normaliser(stats, valid) - _target(stats), valid)
            for stats in (row_stats, column_stats)
        )
        return self.weight * (rows + columns)

    def slope(
        self, block: Block, row_stats: Entropies, column_stats: Entropies, rows: Side, columns: Side
    ) -> jax.Array:
        # With the log-sum-exp R of the whole row held constant, sum_j exp(logit_j - R) has the
        # gradient of R itself; likewise for the targets' softmax.
        each = _slope(block, row_stats, rows.valid, 1) + _slope(
            block, column_stats, columns.valid, 0
        )
        return self.weight * jnp.sum(jnp.where(both_valid(rows, columns), each, 0.0))


def _row_cross_entropy(block: Block) -> jax.Array:
    normaliser = jax.nn.logsumexp(block.logits, axis=1, where=block.taking_part)
    preference = jnp.zeros_like(block.logits) if block.preference is None else block.preference
    weights = jax.nn.softmax(preference, axis=1, where=block.positives)
    return normaliser - jnp.sum(weights * block.logits, axis=1)


def _entropies(block: Block, axis: int) -> Entropies:
    top, scaled = _scaled_exponentials(block.logits, block.taking_part, axis)
    preference = jnp.zeros_like(block.logits) if block.preference is None else block.preference
    target_top, weights = _scaled_exponentials(preference, block.positives, axis)
    return Entropies(
        top,
        jnp.sum(scaled, axis),
        target_top,
        jnp.sum(weights, axis),
        jnp.sum(weights * block.logits, axis),
    )


def _scaled_exponentials(
    values: jax.Array, where: jax.Array, axis: int
) -> tuple[jax.Array, jax.Array]:
    lowest = jnp.finfo(values.dtype).min
    top = jnp.max(jnp.where(where, values, lowest), axis)
    above = values - jnp.expand_dims(top, axis)
    return top, jnp.exp(jnp.where(where, above, -jnp.inf))


def _normaliser(stats: Entropies, valid: jax.Array) -> jax.Array:
    return jnp.where(valid, stats.top + jnp.log(jnp.where(valid, stats.total, 1.0)), 0.0)


def _target(stats: Entropies) -> jax.Array:
    some = stats.target_total > 0
    return jnp.where(some, stats.target_logit / jnp.where(some, stats.target_total, 1.0), 0.0)


def _slope(block: Block, stats: Entropies, valid: jax.Array, axis: int) -> jax.Array:
    def spread(values: jax.Array) -> jax.Array:
        return jnp.expand_dims(values, axis)

    logits = block.logits
    share = jnp.exp(
        jnp.where(block.taking_part, logits - spread(_normaliser(stats, valid)), -jnp.inf)
    )
    if block.preference is None:
        weights = block.positives / spread(jnp.maximum(stats.target_total, 1.0))
        return share - weights * logits
    total = stats.target_top + jnp.log(jnp.where(stats.target_total > 0, stats.target_total, 1.0))
    above = jnp.where(block.positives, block.preference - spread(total), -jnp.inf)
    return share - jnp.exp(above) * (logits - spread(_target(stats)))
