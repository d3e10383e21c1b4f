# SPDX-License-Identifier: Apache-2.0
"""Sigmoid loss: every pair of the batch is a binary classification of its own."""

from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from medst_jax.losses.forms.pairs import (
    Block,
    PairLoss,
    Pairs,
    PairTask,
    Side,
    matched,
    side,
    taking_part,
)
from medst_jax.losses.pairwise import Pairwise, operand
from medst_jax.losses.shapes import (
    check_pairs,
    masked_mean,
    real,
    similarities,
    valid_rows,
    zero_invalid,
)


@PairLoss
def siglip_loss(
    image: jax.Array,
    text: jax.Array,
    scale: ArrayLike,
    bias: ArrayLike,
    *,
    mask: jax.Array | None = None,
    negative_mask: jax.Array | Pairwise | None = None,
) -> PairTask:
    """Sum over pairs of the logistic loss of scale * similarity + bias, over the valid rows.

    Args:
      image: [B, E] unit-norm image embeddings.
      text: [B, E] unit-norm text embeddings.
      scale: scalar, the exponential of the learned log-scale; the paper starts at 10.
      bias: scalar, learned; the paper starts at -10, so that the many negatives weigh little.
      mask: bool [B], false where a row has no image or no text; its pairs do not count.
      negative_mask: bool [B, B], true where a pair off the diagonal counts as a negative.

    Returns:
      A float32 scalar; 0 with zero gradient when no row is valid.

    Raises:
      ValueError: shapes disagree.

    Reference: Zhai et al., "Sigmoid Loss for Language Image Pre-Training", arXiv:2303.15343,
    equation 1.

    >>> import jax.numpy as jnp
    >>> round(float(siglip_loss(jnp.eye(2), jnp.eye(2), 1.0, 0.0)), 4)
    1.0064
    """
    check_pairs(image, text, mask, negative_mask)
    valid, negatives = valid_rows(image.shape[0], mask), operand(negative_mask)

    def block(shared: Any, rows: Side, columns: Side, pairs: Pairs) -> Block:
        scale, bias = shared
        pair = matched(rows, columns)
        allowed = negatives.read(rows.facts, columns.facts, pairs.facts)
        logits = scale * similarities(rows.values, columns.values) + bias
        return Block(logits, taking_part(rows, columns, pair, allowed), pair)

    return PairTask(
        Logistic(),
        block,
        (real(scale), real(bias)),
        side(zero_invalid(image, valid), negatives.rows, valid),
        side(zero_invalid(text, valid), negatives.columns, valid),
        Pairs(None, negatives.pairs),
    )


class Logistic:
    """Logistic loss of every pair, summed and divided by the valid rows; rows keep their sums."""

    def dense(self, block: Block, rows: jax.Array, columns: jax.Array) -> jax.Array:
        return masked_mean(self.measure(block)[0], rows)

    def empty(self, size: int, dtype: Any) -> jax.Array:
        return jnp.zeros(size, dtype)

    def measure(self, block: Block) -> tuple[jax.Array, jax.Array]:
        each = jax.nn.softplus(jnp.where(block.positives, -block.logits, block.logits))
        each = jnp.where(block.taking_part, each, 0.0)
        return jnp.sum(each, 1), jnp.zeros_like(each[0])

    def merge(self, first: jax.Array, second: jax.Array) -> jax.Array:
        return first + second

    def value(self, row_stats: jax.Array, column_stats: jax.Array, valid: jax.Array) -> jax.Array:
        return masked_mean(row_stats, valid)

    def slope(
        self, block: Block, row_stats: jax.Array, column_stats: jax.Array, rows: Side, columns: Side
    ) -> jax.Array:
        return jnp.sum(jnp.where(rows.valid, self.measure(block)[0], 0.0))
