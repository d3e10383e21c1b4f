# SPDX-License-Identifier: Apache-2.0
"""Contrastive loss with a fixed temperature and unequal weights of its directions (ConVIRT)."""

import jax
import jax.numpy as jnp
from jaxtyping import Float, ScalarLike

from medst_jax.array_types import Array, Mask
from medst_jax.losses.cross_entropy import candidate_pairs
from medst_jax.losses.pairwise import Pairwise, as_matrix
from medst_jax.losses.shapes import masked_mean, real, similarities, valid_pairs


def convirt_loss(
    image: Float[Array, "B E"],
    text: Float[Array, "B E"],
    temperature: ScalarLike,
    image_weight: ScalarLike,
    *,
    mask: Mask[Array, " B"] | None = None,
    negative_mask: Mask[Array, "B B"] | Pairwise | None = None,
) -> Float[jax.Array, ""]:
    """Mean over pairs of w * (image to text) + (1 - w) * (text to image) cross-entropy.

    Args:
      image: [B, E] unit-norm image embeddings.
      text: [B, E] unit-norm text embeddings.
      temperature: scalar that divides the cosines, 0.1 in the paper.
      image_weight: scalar w in [0, 1], the weight of the image's choice among texts; 0.75 in the
        paper.
      mask: bool [B], false where a row has no image or no text.
      negative_mask: bool [B, B], true where image i and text j may be negatives of each other; the
        paper takes all.

    Returns:
      A float32 scalar; 0 with zero gradient when no row is valid.

    Raises:
      ValueError: shapes disagree.

    Reference: Zhang et al., "Contrastive Learning of Medical Visual Representations from Paired
    Images and Text", arXiv:2010.00747, equations 2-4.
    """
    image, text, valid = valid_pairs(image, text, mask, negative_mask)
    logits = similarities(image, text) / real(temperature)
    # The diagonal of an invalid row stays, so that its log-sum-exp is finite.
    matched = jnp.eye(len(valid), dtype=bool)
    where = candidate_pairs(matched, valid, valid, as_matrix(negative_mask))
    to_text, to_image = (
        masked_mean(jax.nn.logsumexp(logits, axis, where=where) - jnp.diagonal(logits), valid)
        for axis in (1, 0)
    )
    weight = real(image_weight)
    return weight * to_text + (1.0 - weight) * to_image
