# SPDX-License-Identifier: Apache-2.0
"""Contrastive image-text loss with the matched pair as the only positive (CLIP)."""

import jax
import jax.numpy as jnp

from medst_jax.losses.contrastive import contrastive_loss


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
    pair = jnp.eye(image.shape[0], dtype=bool)
    return contrastive_loss(image, text, scale, pair, mask=mask, negative_mask=negative_mask)
