# SPDX-License-Identifier: Apache-2.0
"""The contrastive form: cross-entropy of similarities to several positives per row and column."""

import jax
import jax.numpy as jnp

from medst_jax.losses.shapes import (
    check_pairs,
    masked_mean,
    similarities,
    valid_rows,
    zero_invalid,
)


def contrastive_loss(
    image: jax.Array,
    text: jax.Array,
    scale: jax.Array | float,
    positives: jax.Array,
    *,
    mask: jax.Array | None,
    negative_mask: jax.Array | None,
) -> jax.Array:
    """Half the sum of image-to-text and text-to-image cross-entropy, means over valid rows.

    Args:
      image: [B, E] unit-norm image embeddings.
      text: [B, E] unit-norm text embeddings.
      scale: scalar.
      positives: bool [B, B], the diagonal included; a row's (column's) target is uniform over
        its valid positives.
      mask: bool [B] or None, rows that count.
      negative_mask: bool [B, B] or None, pairs that may be negatives.

    Returns:
      A float32 scalar, 0 with zero gradient when nothing is valid.

    Raises:
      ValueError: shapes disagree.
    """
    check_pairs(image, text, mask, negative_mask)
    valid = valid_rows(image.shape[0], mask)
    logits = jnp.asarray(scale, jnp.float32) * similarities(
        zero_invalid(image, valid), zero_invalid(text, valid)
    )
    both_valid = valid[:, None] & valid[None, :]
    # An invalid row keeps its diagonal, so that its log-sum-exp stays finite before the mean
    # drops it: a NaN there would survive the mask in the gradient.
    positives = (positives & both_valid) | jnp.eye(len(valid), dtype=bool)
    negatives = both_valid if negative_mask is None else both_valid & negative_mask.astype(bool)
    rows = _row_cross_entropy(logits, positives, negatives | positives)
    columns = _row_cross_entropy(logits.T, positives.T, (negatives | positives).T)
    return 0.5 * (masked_mean(rows, valid) + masked_mean(columns, valid))


def _row_cross_entropy(
    logits: jax.Array, positives: jax.Array, taking_part: jax.Array
) -> jax.Array:
    normaliser = jax.nn.logsumexp(logits, axis=1, where=taking_part)
    weights = positives / jnp.sum(positives, axis=1, keepdims=True)
    return normaliser - jnp.sum(weights * logits, axis=1)
