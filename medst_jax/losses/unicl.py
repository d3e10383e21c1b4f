# SPDX-License-Identifier: Apache-2.0
"""Contrastive image-text-label loss: every pair that shares a positive label is a positive."""

import jax
import jax.numpy as jnp

from medst_jax.losses.contrastive import contrastive_loss
from medst_jax.losses.shapes import similarities


def unicl_loss(
    image: jax.Array,
    text: jax.Array,
    scale: jax.Array | float,
    image_labels: jax.Array,
    text_labels: jax.Array,
    *,
    mask: jax.Array | None = None,
    negative_mask: jax.Array | None = None,
) -> jax.Array:
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
    if image_labels.shape != text_labels.shape or image_labels.shape[0] != image.shape[0]:
        raise ValueError(
            f"image_labels {image_labels.shape} and text_labels {text_labels.shape} must both "
            f"be [B, C] with B = {image.shape[0]}"
        )
    shared = jax.lax.stop_gradient(similarities(image_labels, text_labels)) > 0
    positives = shared | jnp.eye(image.shape[0], dtype=bool)
    return contrastive_loss(image, text, scale, positives, mask=mask, negative_mask=negative_mask)
