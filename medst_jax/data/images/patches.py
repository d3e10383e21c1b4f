# SPDX-License-Identifier: Apache-2.0
"""Images cut into patches: what vision transformers read and masked ones predict."""

import jax
import jax.numpy as jnp

from medst_jax.array_types import Array


def patchify(images: Array, patch: int) -> jax.Array:
    """Cut images into rows of pixels, patches in row order.

    Args:
      images: [B, h, w, c].
      patch: side of a patch in pixels; divides h and w.

    Returns:
      [B, P, patch * patch * c]; inside a patch row, column, channel.
    """
    batch, height, width, channels = images.shape
    x = jnp.asarray(images)
    x = x.reshape(batch, height // patch, patch, width // patch, patch, channels)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(batch, -1, patch * patch * channels)
