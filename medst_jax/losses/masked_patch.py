# SPDX-License-Identifier: Apache-2.0
"""Squared error of the patches that were hidden from an image encoder."""

import jax
import jax.numpy as jnp
from jaxtyping import Float

from medst_jax.array_types import Array, Mask
from medst_jax.data.images.patches import patchify
from medst_jax.losses.shapes import masked_mean, real, zero_invalid


def masked_patch_loss(
    prediction: Float[Array, "B P K"],
    images: Float[Array, "B h w c"],
    hidden: Mask[Array, "B P"],
    *,
    patch: int,
    normalise: bool = True,
) -> Float[jax.Array, ""]:
    """Mean over hidden patches of the mean squared error of their pixels.

    Every hidden patch of the batch weighs the same.

    Args:
      prediction: [B, P, patch * patch * c], patches in row order; inside a patch row, column,
        channel.
      images: float [B, h, w, c] that are to be predicted, P = h * w / patch ** 2.
      hidden: bool [B, P], true where the encoder did not see the patch.
      patch: side of a patch in pixels of `images`.
      normalise: whether each patch is first shifted to mean 0 and scaled to variance 1.

    Returns:
      A float32 scalar; 0 with zero gradient when nothing is hidden.

    Raises:
      ValueError: shapes disagree.

    Reference: He et al., "Masked Autoencoders Are Scalable Vision Learners", arXiv:2111.06377,
    section 3; as in MRM, arXiv:2301.13155, equation 1.
    """
    errors = patch_errors(prediction, images, hidden, patch=patch, normalise=normalise)
    return masked_mean(errors, jnp.asarray(hidden).astype(bool))


def patch_errors(
    prediction: Float[Array, "B P K"],
    images: Float[Array, "B h w c"],
    hidden: Mask[Array, "B P"],
    *,
    patch: int,
    normalise: bool = True,
) -> Float[jax.Array, "B P"]:
    """The terms of `masked_patch_loss`: mean squared error of each patch, 0 where it was shown."""
    batch, height, width, channels = images.shape
    cells = (batch, (height // patch) * (width // patch))
    if (
        height % patch
        or width % patch
        or prediction.shape != (*cells, patch**2 * channels)
        or hidden.shape != cells
    ):
        raise ValueError(
            f"prediction {prediction.shape}, images {images.shape} and hidden {hidden.shape} must be "
            f"[B, P, patch * patch * c], [B, h, w, c] and [B, P] for patches of {patch} pixels"
        )
    shown = ~jnp.asarray(hidden).astype(bool)
    target = real(patchify(images, patch))
    if normalise:
        # Unbiased, and the least variance of a blank patch, as the release.
        variance = jnp.var(target, axis=2, keepdims=True, ddof=1)
        target = (target - jnp.mean(target, axis=2, keepdims=True)) / jnp.sqrt(variance + 1e-6)
    squared = jnp.square(real(zero_invalid(prediction, ~shown)) - zero_invalid(target, ~shown))
    return jnp.mean(squared, axis=2)
