# SPDX-License-Identifier: Apache-2.0
"""Contrastive loss towards soft targets made from a similarity of labels (MedCLIP)."""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float, ScalarLike

from medst_jax.array_types import Array, Mask
from medst_jax.losses.cross_entropy import candidate_pairs, cross_entropy
from medst_jax.losses.pairwise import Pairwise, as_matrix
from medst_jax.losses.shapes import (
    check_matrix,
    masked_mean,
    real,
    similarities,
    valid_pairs,
    zero_invalid,
)


def soft_target_clip_loss(
    image: Float[Array, "B E"],
    text: Float[Array, "B E"],
    scale: ScalarLike,
    similarity: Float[Array, "B B"] | Pairwise,
    *,
    mask: Mask[Array, " B"] | None = None,
) -> Float[jax.Array, ""]:
    """Bidirectional cross-entropy to softmax targets, half the sum, means over valid rows.

    Args:
      image: [B, E] unit-norm image embeddings.
      text: [B, E] unit-norm text embeddings.
      scale: scalar, the exponential of the learned log-scale.
      similarity: [B, B], of image i and text j; an image's targets are the softmax of its row, a
        text's that of its column. Differentiable; stop its gradient where it is a constant. The
        release takes raw dot products of label vectors, the paper's text cosines.
      mask: bool [B], false where a row has no image or no text; such a row is neither an anchor
        nor a target.

    Returns:
      A float32 scalar; 0 with zero gradient when no row is valid.

    Raises:
      ValueError: shapes disagree.

    Reference: Wang et al., "MedCLIP: Contrastive Learning from Unpaired Medical Images and
    Text", arXiv:2210.10163, equations 3-6.
    """
    image, text, valid = valid_pairs(image, text, mask)
    check_matrix("similarity", similarity, len(valid))
    logits_per_image = real(scale) * similarities(image, text)
    logits_per_text = logits_per_image.T
    alike = real(as_matrix(zero_invalid_pairs(similarity, valid)))
    candidates = candidate_pairs(jnp.eye(len(valid), dtype=bool), valid, valid, None)
    image_targets = jax.nn.softmax(alike, axis=1, where=candidates)
    text_targets = jax.nn.softmax(alike.T, axis=1, where=candidates.T)
    image_to_text = cross_entropy(logits_per_image, image_targets, candidates)
    text_to_image = cross_entropy(logits_per_text, text_targets, candidates.T)
    return 0.5 * (masked_mean(image_to_text, valid) + masked_mean(text_to_image, valid))


def zero_invalid_pairs(
    similarity: Float[Array, "B B"] | Pairwise, valid: Bool[Array, " B"]
) -> Float[jax.Array, "B B"] | Pairwise:
    """The similarity with zeros where it is not of two valid rows; of a `Pairwise`, in its rows."""
    if not isinstance(similarity, Pairwise):
        return jnp.where(valid[:, None] & valid[None, :], similarity, 0.0)
    rows, columns = jax.tree.map(
        lambda x: zero_invalid(x, valid), (similarity.rows, similarity.columns)
    )
    return dataclasses.replace(similarity, rows=rows, columns=columns)
