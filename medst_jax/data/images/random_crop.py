# SPDX-License-Identifier: Apache-2.0
"""Random parts of training images, enlarged or shrunk to the encoder's square; inside jit."""

import functools

import jax
import jax.numpy as jnp

_ATTEMPTS = 10  # of a draw that may not fit, as torchvision's


def random_parts(
    images: jax.Array,
    keys: jax.Array,
    size: int,
    area: tuple[float, float],
    aspect: tuple[float, float],
) -> jax.Array:
    """A random rectangle of each image, resized to a square, antialiased.

    The draws are those of torchvision's `RandomResizedCrop`, without rounding to whole pixels: a
    share of the image's area, uniform, and an aspect, uniform in its logarithm; what does not fit
    into the image is drawn again, up to ten times; then the largest part in the middle is taken whose aspect is allowed.

    Args:
      images: uint8 [B, S, S, 1].
      keys: [B], typed.
      size: side of the result, pixels.
      area: smallest and largest share; above 1 nothing fits unless the aspect is redrawn.
      aspect: smallest and largest width over height.

    Returns:
      float32 [B, size, size, 1] in [0, 1].
    """
    values = images.astype(jnp.float32) / 255.0
    part = functools.partial(_part, size=size, area=area, aspect=aspect)
    return jax.vmap(part)(values, keys)


def random_offset_crop(image: jax.Array, key: jax.Array, size: int) -> jax.Array:
    """A square [size, size, c] at a random place of one image [n, n, c], whole pixels."""
    places = image.shape[0] - size + 1
    down, right = jax.random.randint(key, (2,), 0, places)
    return jax.lax.dynamic_slice(image, (down, right, 0), (size, size, image.shape[2]))


def drawn_rectangle(
    key: jax.Array, area: tuple[float, float], aspect: tuple[float, float]
) -> tuple[jax.Array, jax.Array]:
    """First corner and sides (vertical, horizontal), both [2], in shares of the image's side."""
    uniform = jax.random.uniform(key, (2 * _ATTEMPTS + 2,))
    shares, logs = uniform[:_ATTEMPTS], uniform[_ATTEMPTS : 2 * _ATTEMPTS]
    low, high = jnp.log(jnp.asarray(aspect, jnp.float32))
    ratio = jnp.exp(low + (high - low) * logs)
    share = area[0] + (area[1] - area[0]) * shares
    sides = jnp.stack([jnp.sqrt(share / ratio), jnp.sqrt(share * ratio)], axis=1)
    # A rounding error above the whole still fits.
    fits = jnp.all(sides <= 1.0 + 1e-6, axis=1)
    allowed = min(max(1.0, aspect[0]), aspect[1])
    whole = jnp.array([min(1.0, 1 / allowed), min(1.0, allowed)], jnp.float32)
    chosen = jnp.minimum(jnp.where(jnp.any(fits), sides[jnp.argmax(fits)], whole), 1.0)
    place = jnp.where(jnp.any(fits), uniform[-2:], 0.5)
    return (1.0 - chosen) * place, chosen


def _part(
    image: jax.Array,
    key: jax.Array,
    *,
    size: int,
    area: tuple[float, float],
    aspect: tuple[float, float],
) -> jax.Array:
    corner, sides = drawn_rectangle(key, area, aspect)
    stored = image.shape[0]
    scale = size / (stored * sides)
    return jax.image.scale_and_translate(
        image,
        (size, size, image.shape[2]),
        (0, 1),
        scale,
        -corner * stored * scale,
        method="linear",
        antialias=True,
    )
