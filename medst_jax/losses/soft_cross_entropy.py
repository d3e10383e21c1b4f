# SPDX-License-Identifier: Apache-2.0
"""Cross-entropy of a similarity matrix against several positives per row and per column."""

import jax
import jax.numpy as jnp

from medst_jax.losses.shapes import masked_mean


def symmetric_cross_entropy(
    logits: jax.Array, positives: jax.Array, allowed: jax.Array, valid: jax.Array
) -> jax.Array:
    """Half the sum of row-wise and column-wise cross-entropy to uniform targets.

    Args:
      logits: float32 [B, B], rows are images and columns texts.
      positives: bool [B, B]; each row's (column's) target is uniform over its positives.
      allowed: bool [B, B], pairs that take part as negatives.
      valid: bool [B], rows and columns that count.

    Returns:
      A float32 scalar, 0 when nothing is valid.
    """
    # An invalid row keeps its diagonal, so that its log-sum-exp stays finite before the mean
    # drops it: a NaN there would survive the mask in the gradient.
    positives = (positives & valid[:, None] & valid[None, :]) | jnp.eye(len(valid), dtype=bool)
    taking_part = allowed | positives
    rows = _row_cross_entropy(logits, positives, taking_part)
    columns = _row_cross_entropy(logits.T, positives.T, taking_part.T)
    return 0.5 * (masked_mean(rows, valid) + masked_mean(columns, valid))


def _row_cross_entropy(
    logits: jax.Array, positives: jax.Array, taking_part: jax.Array
) -> jax.Array:
    normaliser = jax.nn.logsumexp(logits, axis=1, where=taking_part)
    weights = positives / jnp.sum(positives, axis=1, keepdims=True)
    return normaliser - jnp.sum(weights * logits, axis=1)
