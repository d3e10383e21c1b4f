# SPDX-License-Identifier: Apache-2.0
"""Random geometry and intensity of training images, inside jit, one key per image."""

import dataclasses
from typing import Literal

import jax
import jax.numpy as jnp


@dataclasses.dataclass(frozen=True)
class Augment:
    """Ranges of the random changes; all zero (the default) leaves images as they are.

    rotate: largest angle, degrees, either way.
    translate: largest shift, fraction of the side, either way and axis.
    scale: smallest and largest magnification.
    brightness: largest offset in units of the image's values, either way.
    contrast: largest relative change of the deviation from the image's mean, either way.
    noise: standard deviation of Gaussian noise, in units of the image's values.
    flip: "horizontal" mirrors half of the images. Off where text or target has a side.
    probability: chance that an image's geometry changes, and, drawn apart, its intensity.

    What moves in from outside repeats the border pixel, so that no value appears that the
    image lacks, whether it is normalised already or not.
    """

    rotate: float = 0.0
    translate: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)
    brightness: float = 0.0
    contrast: float = 0.0
    noise: float = 0.0
    flip: Literal["none", "horizontal"] = "none"
    probability: float = 1.0

    def __call__(self, images: jax.Array, keys: jax.Array) -> jax.Array:
        """Change float images [B, s, s, c]; image i by draws from `keys[i]` alone."""
        if self == Augment(probability=self.probability):
            return images
        return jax.vmap(self._change)(images, keys)

    def _change(self, image: jax.Array, key: jax.Array) -> jax.Array:
        # Every draw has its place whether or not it is used: switching one change on leaves
        # the draws of the others as they were. One call costs one round of bit generation.
        moves, alters, mirrors, angle, down, right, zoom, shift, gain = jax.random.uniform(
            key, (9,)
        )
        if self.rotate or self.translate or self.scale != (1.0, 1.0):
            moved = self._moved(image, _centred(angle), _centred(down), _centred(right), zoom)
            image = jnp.where(moves < self.probability, moved, image)
        if self.flip == "horizontal":
            image = jnp.where(mirrors < 0.5, image[:, ::-1], image)
        if self.brightness or self.contrast:
            mean = jnp.mean(image)
            contrast = 1.0 + self.contrast * _centred(gain)
            altered = (image - mean) * contrast + mean + self.brightness * _centred(shift)
            image = jnp.where(alters < self.probability, altered, image)
        if self.noise:
            normal = jax.random.normal(jax.random.fold_in(key, 1), image.shape[:2])
            image = image + self.noise * normal[..., None]
        return image

    def _moved(
        self,
        image: jax.Array,
        angle: jax.Array,
        down: jax.Array,
        right: jax.Array,
        zoom: jax.Array,
    ) -> jax.Array:
        radians = angle * self.rotate * (jnp.pi / 180)
        low, high = self.scale
        magnification = low + (high - low) * zoom
        # Output to input, about the image's centre: the inverse of the change.
        cosine, sine = jnp.cos(radians) / magnification, jnp.sin(radians) / magnification
        matrix = jnp.stack([cosine, -sine, sine, cosine]).reshape(2, 2)
        return sample(image, matrix, self.translate * image.shape[0] * jnp.stack([down, right]))


def sample(image: jax.Array, matrix: jax.Array, offset: jax.Array) -> jax.Array:
    """Bilinear samples of one image [s, s, c]; coordinates beyond the border are clamped to it.

    Output pixel (y, x), counted from the centre, shows the input at `matrix @ (y, x) - offset`;
    `matrix` is [2, 2], `offset` [2] in pixels.
    """
    side = image.shape[0]
    middle = (side - 1) / 2
    axis = jnp.arange(side) - middle
    y = matrix[0, 0] * axis[:, None] + matrix[0, 1] * axis[None, :] - offset[0] + middle
    x = matrix[1, 0] * axis[:, None] + matrix[1, 1] * axis[None, :] - offset[1] + middle
    y, x = jnp.clip(y, 0, side - 1), jnp.clip(x, 0, side - 1)
    top = jnp.clip(jnp.floor(y), 0, side - 2).astype(jnp.int32)
    left = jnp.clip(jnp.floor(x), 0, side - 2).astype(jnp.int32)
    down, right = (y - top)[..., None], (x - left)[..., None]
    pixels = image.reshape(side * side, -1)
    corner = top * side + left

    def at(step: int) -> jax.Array:
        return jnp.take(pixels, corner + step, axis=0, mode="clip")

    upper = (1 - right) * at(0) + right * at(1)
    lower = (1 - right) * at(side) + right * at(side + 1)
    return (1 - down) * upper + down * lower


def _centred(uniform: jax.Array) -> jax.Array:
    return 2.0 * uniform - 1.0
