# SPDX-License-Identifier: Apache-2.0
"""Contrastive image-text loss with the matched pair as the only positive (CLIP)."""

import jax
import jax.numpy as jnp
from jaxtyping import Float, ScalarLike

from medst_jax.array_types import Array, Mask
from medst_jax.losses.cross_entropy import candidate_pairs, cross_entropy
from medst_jax.losses.pairwise import Pairwise, as_matrix
from medst_jax.losses.shapes import masked_mean, real, similarities, valid_pairs


def clip_loss(
    image: Float[Array, "B E"],
    text: Float[Array, "B E"],
    scale: ScalarLike,
    *,
    mask: Mask[Array, " B"] | None = None,
    negative_mask: Mask[Array, "B B"] | Pairwise | None = None,
) -> Float[jax.Array, ""]:
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
    image, text, valid = valid_pairs(image, text, mask, negative_mask)
    logits_per_image = real(scale) * similarities(image, text)
    logits_per_text = logits_per_image.T
    matched = jnp.eye(len(valid), dtype=bool)
    candidates = candidate_pairs(matched, valid, valid, as_matrix(negative_mask))
    image_to_text = cross_entropy(logits_per_image, matched, candidates)
    text_to_image = cross_entropy(logits_per_text, matched.T, candidates.T)
    return 0.5 * (masked_mean(image_to_text, valid) + masked_mean(text_to_image, valid))
