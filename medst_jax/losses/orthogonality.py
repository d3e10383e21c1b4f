# SPDX-License-Identifier: Apache-2.0
"""How far the dimensions of a batch of features are from orthonormal (M-FLAG)."""

import jax
import jax.numpy as jnp
from jaxtyping import Float, ScalarLike

from medst_jax.array_types import Array, Mask
from medst_jax.losses.shapes import check_rows, product, valid_rows, zero_invalid


def orthogonality_loss(
    features: Float[Array, "B D"],
    *,
    off_diagonal: ScalarLike = 0.0051,
    mask: Mask[Array, " B"] | None = None,
) -> Float[jax.Array, ""]:
    """Half of the squared distance of the dimensions' mean products from the identity.

    With C the mean over rows of x x^T, features neither centred nor scaled:
    (sum over d of (C_dd - 1)^2 + w * sum over d != e of C_de^2) / 2.

    Args:
      features: [B, D], as the encoder gives them.
      off_diagonal: scalar w, weight of the products of two different dimensions.
      mask: bool [B], false where a row has no image.

    Returns:
      A float32 scalar, a sum over D x D products; 0 with zero gradient when no row is valid.

    Raises:
      ValueError: shapes disagree.

    Reference: Liu et al., "M-FLAG: Medical Vision-Language Pre-training with Frozen Language
    Models and Latent Space Geometry Optimization", MICCAI 2023, and its release.
    """
    if features.ndim != 2:
        raise ValueError(f"features {features.shape} must be [B, D]")
    check_rows(len(features), mask)
    valid = valid_rows(len(features), mask)
    kept, count = zero_invalid(features, valid), jnp.sum(valid)
    products = product("bd,be->de", kept, kept)
    products = products / jnp.maximum(count, 1).astype(products.dtype)
    diagonal = jnp.eye(products.shape[0], dtype=bool)
    own = jnp.sum(jnp.where(diagonal, jnp.square(products - 1.0), 0.0))
    others = jnp.sum(jnp.where(diagonal, 0.0, jnp.square(products)))
    return jnp.where(count > 0, 0.5 * (own + off_diagonal * others), 0.0)
