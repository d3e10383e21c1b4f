# SPDX-License-Identifier: Apache-2.0
"""The triage loss from running sums: negatives first, then what each positive loses against them."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from medst_jax.losses.forms.blockwise import Block, Side
from medst_jax.losses.forms.online_softmax import scaled_exponentials
from medst_jax.losses.shapes import masked_mean


class Sorted(NamedTuple):
    """Of each anchor.

    Attributes:
      highest: the largest logit of a negative so far.
      total: sum over negatives of exp(logit - highest).
      positives: how many there are.
      lost: sum over positives of softplus(log-sum-exp of the negatives - logit).
      share: sum over positives of its derivative.
    """

    highest: jax.Array
    total: jax.Array
    positives: jax.Array
    lost: jax.Array
    share: jax.Array


@dataclasses.dataclass(frozen=True)
class Triage:
    """Means over valid anchors; of a block, candidates that are no positives are negatives."""

    image_weight: float

    def initial_statistics(self, size: int, dtype: Any) -> Sorted:
        nothing = jnp.zeros(size, dtype)
        return Sorted(
            jnp.full(size, jnp.finfo(dtype).min, dtype), nothing, nothing, nothing, nothing
        )

    def block_statistics(self, block: Block) -> tuple[Sorted, Sorted]:
        return _sums(block, 1), _sums(block, 0)

    def combine(self, first: Sorted, second: Sorted) -> Sorted:
        highest = jnp.maximum(first.highest, second.highest)
        old, new = jnp.exp(first.highest - highest), jnp.exp(second.highest - highest)
        return Sorted(
            highest,
            first.total * old + second.total * new,
            first.positives + second.positives,
            first.lost + second.lost,
            first.share + second.share,
        )

    def refine(
        self, block: Block, row_statistics: Sorted, column_statistics: Sorted
    ) -> tuple[Sorted, Sorted]:
        return _lost(block, row_statistics, 1), _lost(block, column_statistics, 0)

    def loss(
        self, row_statistics: Sorted, column_statistics: Sorted, valid: jax.Array
    ) -> jax.Array:
        of_images, of_texts = (
            sums.lost / jnp.maximum(sums.positives, 1)
            for sums in (row_statistics, column_statistics)
        )
        weight = self.image_weight
        return masked_mean(weight * of_images + (1.0 - weight) * of_texts, valid)

    def surrogate(
        self,
        block: Block,
        row_statistics: Sorted,
        column_statistics: Sorted,
        rows: Side,
        columns: Side,
    ) -> jax.Array:
        # softplus(n - s) has the gradient sigmoid(n - s) (dn - ds), and n that of the negatives' softmax.
        of_images = _surrogate(block, row_statistics, 1)
        of_texts = _surrogate(block, column_statistics, 0)
        return jnp.sum(self.image_weight * of_images + (1.0 - self.image_weight) * of_texts)


def _negatives(block: Block) -> jax.Array:
    return block.candidates & ~block.positives


def _sums(block: Block, axis: int) -> Sorted:
    highest, scaled = scaled_exponentials(block.logits, _negatives(block), axis)
    positives = jnp.sum(block.positives, axis).astype(block.logits.dtype)
    nothing = jnp.zeros_like(positives)
    return Sorted(highest, jnp.sum(scaled, axis), positives, nothing, nothing)


def _log_total(sums: Sorted, axis: int) -> tuple[jax.Array, jax.Array]:
    """Log-sum-exp of each anchor's negatives, and whether it has any, along the block's `axis`."""
    some = sums.total > 0
    total = sums.highest + jnp.log(jnp.where(some, sums.total, 1.0))
    return jnp.expand_dims(jnp.where(some, total, 0.0), axis), jnp.expand_dims(some, axis)


def _lost(block: Block, sums: Sorted, axis: int) -> Sorted:
    total, some = _log_total(sums, axis)
    counted = block.positives & some
    above = total - block.logits
    nothing = jnp.zeros_like(sums.total)
    return Sorted(
        nothing,
        nothing,
        nothing,
        jnp.sum(jnp.where(counted, jax.nn.softplus(above), 0.0), axis),
        jnp.sum(jnp.where(counted, jax.nn.sigmoid(above), 0.0), axis),
    )


def _surrogate(block: Block, sums: Sorted, axis: int) -> jax.Array:
    """[r, c], whose sum has the gradient of the anchors' means."""
    total, some = _log_total(sums, axis)
    pull = jax.lax.stop_gradient(jax.nn.sigmoid(total - block.logits))
    pulled = jnp.where(block.positives & some, pull * block.logits, 0.0)
    softmax = jnp.exp(jnp.where(_negatives(block) & some, block.logits - total, -jnp.inf))
    pushed = jnp.expand_dims(sums.share, axis) * softmax
    return (pushed - pulled) / jnp.maximum(jnp.expand_dims(sums.positives, axis), 1)
