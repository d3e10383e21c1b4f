# SPDX-License-Identifier: Apache-2.0
"""Gaussian blur of one image, inside jit."""

import jax
import jax.numpy as jnp


def gaussian_blur(image: jax.Array, deviation: jax.Array) -> jax.Array:
    """Blur one image [s, s, c] by a Gaussian of that deviation, a scalar in pixels.

    At the border the kernel ends and what is left of it sums to 1: no value appears that the
    image lacks. Written as two products with a matrix [s, s], because the deviation is drawn for
    each image: a convolution would need a kernel of its own for each of a batch.
    """
    axis = jnp.arange(image.shape[0], dtype=jnp.float32)
    squared = (axis[:, None] - axis[None, :]) ** 2
    # Below a tenth of a pixel the kernel is one pixel, and its formula divides by nothing.
    weights = jnp.exp(-squared / (2.0 * jnp.maximum(deviation, 0.1) ** 2))
    weights = weights / jnp.sum(weights, axis=1, keepdims=True)
    exact = jax.lax.Precision.HIGHEST
    return jnp.einsum("yi,xj,ijc->yxc", weights, weights, image, precision=exact)
