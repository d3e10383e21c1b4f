# SPDX-License-Identifier: Apache-2.0
"""Contrastive image-text-label loss: every pair that shares a positive label is a positive."""

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float, ScalarLike, Shaped

from medst_jax.array_types import Array, Mask
from medst_jax.losses.cross_entropy import candidate_pairs, cross_entropy
from medst_jax.losses.pairwise import Pairwise, as_matrix
from medst_jax.losses.shapes import masked_mean, real, similarities, valid_pairs, zero_invalid


def unicl_loss(
    image: Float[Array, "B E"],
    text: Float[Array, "B E"],
    scale: ScalarLike,
    image_labels: Shaped[Array, "B C"],
    text_labels: Shaped[Array, "B C"],
    *,
    mask: Mask[Array, " B"] | None = None,
    negative_mask: Mask[Array, "B B"] | Pairwise | None = None,
) -> Float[jax.Array, ""]:
    """Bidirectional cross-entropy whose positives share a positive label or are the pair itself.

    Args:
      image: [B, E] unit-norm image embeddings.
      text: [B, E] unit-norm text embeddings.
      scale: scalar, the exponential of the learned log-scale.
      image_labels: {0, 1} [B, C], the labels of the study; masked labels are 0.
      text_labels: {0, 1} [B, C], the labels of the drawn sentence or prompt.
      mask: bool [B], false where a row has no image or no text.
      negative_mask: bool [B, B], true where a pair that is no positive may be a negative.

    Returns:
      A float32 scalar; 0 with zero gradient when no row is valid. Labels are targets and
      receive no gradient.

    Raises:
      ValueError: shapes disagree.

    Reference: Yang et al., "Unified Contrastive Learning in Image-Text-Label Space",
    arXiv:2204.03610, equations 2-4; shared-label positives as in the DLILP release.
    """
    check_labels(image, image_labels, text_labels)
    image, text, valid = valid_pairs(image, text, mask, negative_mask)
    logits_per_image = real(scale) * similarities(image, text)
    logits_per_text = logits_per_image.T
    of_images, of_texts = (positive_labels(x, valid) for x in (image_labels, text_labels))
    positives = share_a_label(of_images, of_texts) | jnp.eye(len(valid), dtype=bool)
    candidates = candidate_pairs(positives, valid, valid, as_matrix(negative_mask))
    weights = positives.astype(logits_per_image.dtype)
    image_targets = weights / jnp.sum(weights, axis=1, keepdims=True)
    text_targets = weights / jnp.sum(weights, axis=0, keepdims=True)
    image_to_text = cross_entropy(logits_per_image, image_targets, candidates)
    text_to_image = cross_entropy(logits_per_text, text_targets.T, candidates.T)
    return 0.5 * (masked_mean(image_to_text, valid) + masked_mean(text_to_image, valid))


def check_labels(image: Array, image_labels: Array, text_labels: Array) -> None:
    """Raise a ValueError unless both are [B, C] with the B of `image`."""
    if image_labels.shape != text_labels.shape or image_labels.shape[0] != image.shape[0]:
        raise ValueError(
            f"image_labels {image_labels.shape} and text_labels {text_labels.shape} must both "
            f"be [B, C] with B = {image.shape[0]}"
        )


def positive_labels(
    labels: Shaped[Array, "B C"], valid: Bool[Array, " B"]
) -> Bool[jax.Array, "B C"]:
    """Which labels a row has; a row that is not valid has none."""
    return zero_invalid(labels, valid) > 0


def share_a_label(rows: Bool[Array, "r C"], columns: Bool[Array, "c C"]) -> Bool[jax.Array, "r c"]:
    """Which rows and columns have a label in common."""
    return similarities(rows, columns) > 0
