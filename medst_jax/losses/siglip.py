# SPDX-License-Identifier: Apache-2.0
"""Sigmoid loss: every pair of the batch is a binary classification of its own."""

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float, ScalarLike

from medst_jax.array_types import Array, Mask
from medst_jax.losses.cross_entropy import candidate_pairs
from medst_jax.losses.pairwise import Pairwise, as_matrix
from medst_jax.losses.shapes import masked_mean, real, similarities, valid_pairs


def siglip_loss(
    image: Float[Array, "B E"],
    text: Float[Array, "B E"],
    scale: ScalarLike,
    bias: ScalarLike,
    *,
    mask: Mask[Array, " B"] | None = None,
    negative_mask: Mask[Array, "B B"] | Pairwise | None = None,
) -> Float[jax.Array, ""]:
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
    image, text, valid = valid_pairs(image, text, mask, negative_mask)
    logits = real(scale) * similarities(image, text) + real(bias)
    matched = jnp.eye(len(valid), dtype=bool)
    candidates = candidate_pairs(matched, valid, valid, as_matrix(negative_mask))
    return masked_mean(jnp.sum(logistic_losses(logits, matched, candidates), axis=1), valid)


def logistic_losses(
    logits: Float[Array, "r c"], positives: Bool[Array, "r c"], candidates: Bool[Array, "r c"]
) -> Float[jax.Array, "r c"]:
    """Minus the log-probability that a pair is what it is, positive or negative.

    Args:
      logits: [r, c], of a pair being positive.
      positives: bool [r, c].
      candidates: bool [r, c]; every other pair is 0.
    """
    losses = jax.nn.softplus(jnp.where(positives, -logits, logits))
    return jnp.where(candidates, losses, 0.0)
