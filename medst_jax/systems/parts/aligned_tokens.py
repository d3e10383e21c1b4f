# SPDX-License-Identifier: Apache-2.0
"""Words and patches in the joint space of a token-wise alignment (MGCA, Med-ST)."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from medst_jax.models.heads.contrastive import unit_norm
from medst_jax.models.heads.projection_heads import BatchNormHead, LinearHead


def aligned_tokens(
    word_head: BatchNormHead | LinearHead,
    patch_head: BatchNormHead | LinearHead,
    encoded: Mapping[str, jax.Array],
    word_mask: jax.Array,
    patch_mask: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """Projected words [B, W, E] and patches [B, P, E], unit norm, zeros where masked.

    Args:
      word_head, patch_head: of the masked tokens; batch statistics take in what the masks keep.
      encoded: "words" [B, W, D] and "patches" [B, P, D'].
      word_mask: bool [B, W].
      patch_mask: bool [B, P].
    """
    words = unit_norm(word_head(encoded["words"], train=True, mask=word_mask))
    patches = unit_norm(patch_head(encoded["patches"], train=True, mask=patch_mask))
    return (
        jnp.where(word_mask[..., None], words, 0.0),
        jnp.where(patch_mask[..., None], patches, 0.0),
    )
