# SPDX-License-Identifier: Apache-2.0
"""Contrastive image-text loss with the matched pair as the only positive (CLIP)."""

import jax
import jax.numpy as jnp

from medst_jax.losses.shapes import check_pairs, similarities, valid_rows, zero_invalid
from medst_jax.losses.soft_cross_entropy import symmetric_cross_entropy


def clip_loss(
    image: jax.Array,
    text: jax.Array,
    scale: jax.Array | float,
    *,
    mask: jax.Array | None = None,
    negative_mask: jax.Array | None = None,
) -> jax.Array:
    """Half the sum of image-to-text and text-to-image cross-entropy, means over valid rows.

    Args:
      image: [B, E] unit-norm image embeddings.
      text: [B, E] unit-norm text embeddings; row i belongs to image i.
      scale: scalar, the exponential of the learned log-scale (an inverse temperature).
      mask: bool [B], false where a row has no image or no text; such a row is neither an
        anchor nor a negative.
      negative_mask: bool [B, B], true where image i and text j may be negatives of each other;
        the diagonal is always the positive.

    Returns:
      A float32 scalar; 0 with zero gradient when no row is valid.

    Raises:
      ValueError: shapes disagree.

    Reference: Radford et al., "Learning Transferable Visual Models From Natural Language
    Supervision", arXiv:2103.00020, figure 3; means and the half as in the DLILP release.

    >>> import jax.numpy as jnp
    >>> round(float(clip_loss(jnp.eye(2), jnp.eye(2), 1.0)), 4)
    0.3133
    """
    check_pairs(image, text, mask, negative_mask)
    valid = valid_rows(image.shape[0], mask)
    positives = jnp.eye(image.shape[0], dtype=bool)
    allowed = valid[:, None] & valid[None, :]
    if negative_mask is not None:
        allowed &= negative_mask.astype(bool)
    image, text = zero_invalid(image, valid), zero_invalid(text, valid)
    logits = jnp.asarray(scale, jnp.float32) * similarities(image, text)
    return symmetric_cross_entropy(logits, positives, allowed, valid)
