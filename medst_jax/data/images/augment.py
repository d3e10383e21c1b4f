# SPDX-License-Identifier: Apache-2.0
"""Random geometry and intensity of training images, inside jit, one key per image."""

import dataclasses
import functools
from typing import Literal

import jax
import jax.numpy as jnp

from medst_jax.data.images.preprocess import Preprocess, centre_crop
from medst_jax.options import OptionError, before

# Number by which the key of an image is folded for draws of their own. What is not here takes its
# place among the nine of `_change`, which stay as they are whatever is added.
_NOISE, _AREA, _CROP, _GAIN, _BLUR, _CLAHE, _SHEAR = 1, 2, 3, 4, 5, 6, 7


@dataclasses.dataclass(frozen=True)
class Augment:
    """Ranges of the random changes; all zero (the default) leaves images as they are.

    They follow one another as they are listed here, but for `noise`, which is last.

    area: smallest and largest share of the stored image that a random rectangle shows, enlarged
      to the square; (1, 1) is the whole image. Evaluation shows the whole image.
    aspect: smallest and largest width over height of that rectangle, before it is a square.
    rotate: largest angle, degrees, either way.
    shear: largest angle of a slant along the rows, degrees, either way.
    translate: largest shift, fraction of the side, either way and axis.
    scale: smallest and largest magnification.
    flip: "horizontal" mirrors half of the images. Off where text or target has a side.
    crop: where the encoder's input is cut out of the square `Preprocess.crop_from`: at its
      "centre", as in evaluation, or at "random".
    clahe: upper bound of the clip limit of CLAHE, which is drawn from 1 up; 0 for none. See
      `clahe.equalised`.
    clahe_probability: chance that an image is equalised so.
    gain: largest relative change of all values, either way: brightness that leaves black black.
    brightness: largest offset in units of the image's values, either way.
    contrast: largest relative change of the deviation from the image's mean, either way.
    clip: cut values to [0, 1] after a change of gain, and of brightness and contrast.
    blur: smallest and largest deviation of a Gaussian, pixels; (0, 0) for none.
    blur_probability: chance that an image is blurred.
    noise: standard deviation of Gaussian noise, in units of the image's values.
    probability: chance that an image is rotated, sheared, shifted or magnified, and, drawn
      apart, that its gain, brightness and contrast change.

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
    area: tuple[float, float] = dataclasses.field(default=(1.0, 1.0), metadata=before((1.0, 1.0)))
    aspect: tuple[float, float] = dataclasses.field(
        default=(3 / 4, 4 / 3), metadata=before((3 / 4, 4 / 3))
    )
    shear: float = dataclasses.field(default=0.0, metadata=before(0.0))
    crop: Literal["centre", "random"] = dataclasses.field(
        default="centre", metadata=before("centre")
    )
    clahe: float = dataclasses.field(default=0.0, metadata=before(0.0))
    clahe_probability: float = dataclasses.field(default=0.5, metadata=before(0.5))
    gain: float = dataclasses.field(default=0.0, metadata=before(0.0))
    clip: bool = dataclasses.field(default=False, metadata=before(False))
    blur: tuple[float, float] = dataclasses.field(default=(0.0, 0.0), metadata=before((0.0, 0.0)))
    blur_probability: float = dataclasses.field(default=1.0, metadata=before(1.0))

    def __post_init__(self) -> None:
        for name, least in (("area", 0.0), ("aspect", 0.0), ("blur", -1.0)):
            low, high = getattr(self, name)
            if not least < low <= high or low < 0:
                raise OptionError(
                    f"augment.{name} is {(low, high)}; it must be a smallest and a largest value, "
                    f"{'not negative' if name == 'blur' else 'positive'}, in this order"
                )
        if self.area[0] > 1:
            raise OptionError(
                f"augment.area is {self.area}; no rectangle has more than the whole image: "
                "the first must be at most 1"
            )
        if self.clahe and self.clahe < 1:
            raise OptionError(
                f"augment.clahe is {self.clahe}; it is the largest of clip limits from 1 up: "
                "make it at least 1, or 0 for none"
            )

    def training_pixels(
        self, images: jax.Array, keys: jax.Array, preprocess: Preprocess
    ) -> jax.Array:
        """What an encoder trains on: stored images, changed, cropped and normalised.

        Args:
          images: uint8 [B, S, S, 1].
          keys: [B], typed; image i changes by draws from `keys[i]` alone.
          preprocess: of the encoder.

        Returns:
          float32 [B, size, size, channels].
        """
        if self.area == (1.0, 1.0):
            values = preprocess.resize(images)
        else:
            # Read when it is asked for: most systems are built without it.
            from medst_jax.data.images.random_crop import random_parts

            # From the stored pixels: a part of what was shrunk before would be blurred.
            drawn = _folded(keys, _AREA)
            values = random_parts(images, drawn, preprocess.square, self.area, self.aspect)
        return preprocess.normalise(self(values, keys, preprocess.size))

    def __call__(self, images: jax.Array, keys: jax.Array, size: int | None = None) -> jax.Array:
        """Change float images [B, n, n, c]; image i by draws from `keys[i]` alone.

        All changes but that of `area`, which needs the stored image: see `training_pixels`.

        Args:
          images: values in [0, 1], not normalised, if gain, clip or clahe is on.
          keys: [B], typed.
          size: s, of the crop; None for n.

        Returns:
          float32 [B, s, s, c].
        """
        size = size or images.shape[1]
        off = Augment(probability=self.probability, area=self.area, aspect=self.aspect)
        if self == off:
            return centre_crop(images, size)
        return jax.vmap(functools.partial(self._change, size=size))(images, keys)

    def _change(self, image: jax.Array, key: jax.Array, *, size: int) -> jax.Array:
        # Every draw has its place whether or not it is used: switching one change on leaves
        # the draws of the others as they were. One call costs one round of bit generation.
        moves, alters, mirrors, angle, down, right, zoom, shift, gain = jax.random.uniform(
            key, (9,)
        )
        if self.rotate or self.shear or self.translate or self.scale != (1.0, 1.0):
            centred = _centred(angle), _centred(down), _centred(right)
            moved = self._moved(image, *centred, zoom, key)
            image = jnp.where(moves < self.probability, moved, image)
        if self.flip == "horizontal":
            image = jnp.where(mirrors < 0.5, image[:, ::-1], image)
        image = self._cropped(image, key, size)
        if self.clahe:
            image = self._equalised(image, key)
        if self.gain or self.brightness or self.contrast:
            altered = self._multiplied(image, key)
            if self.brightness or self.contrast:
                mean = jnp.mean(altered)
                contrast = 1.0 + self.contrast * _centred(gain)
                altered = (altered - mean) * contrast + mean + self.brightness * _centred(shift)
                altered = self._clipped(altered)
            image = jnp.where(alters < self.probability, altered, image)
        if self.blur != (0.0, 0.0):
            image = self._blurred(image, key)
        if self.noise:
            normal = jax.random.normal(jax.random.fold_in(key, _NOISE), image.shape[:2])
            image = image + self.noise * normal[..., None]
        return image

    def _moved(
        self,
        image: jax.Array,
        angle: jax.Array,
        down: jax.Array,
        right: jax.Array,
        zoom: jax.Array,
        key: jax.Array,
    ) -> jax.Array:
        radians = angle * self.rotate * (jnp.pi / 180)
        low, high = self.scale
        magnification = low + (high - low) * zoom
        # Output to input, about the image's centre: the inverse of the change.
        cosine, sine = jnp.cos(radians) / magnification, jnp.sin(radians) / magnification
        matrix = jnp.stack([cosine, -sine, sine, cosine]).reshape(2, 2)
        if self.shear:
            drawn = _centred(jax.random.uniform(jax.random.fold_in(key, _SHEAR)))
            slant = jnp.tan(drawn * self.shear * (jnp.pi / 180))
            matrix = jnp.eye(2).at[1, 0].set(slant) @ matrix
        return sample(image, matrix, self.translate * image.shape[0] * jnp.stack([down, right]))

    def _cropped(self, image: jax.Array, key: jax.Array, size: int) -> jax.Array:
        if self.crop == "centre" or size == image.shape[0]:
            return centre_crop(image[None], size)[0]
        from medst_jax.data.images.random_crop import random_offset_crop

        return random_offset_crop(image, jax.random.fold_in(key, _CROP), size)

    def _equalised(self, image: jax.Array, key: jax.Array) -> jax.Array:
        from medst_jax.data.images.clahe import equalised

        chance, drawn = jax.random.uniform(jax.random.fold_in(key, _CLAHE), (2,))
        changed = equalised(image, 1.0 + (self.clahe - 1.0) * drawn)
        return jnp.where(chance < self.clahe_probability, changed, image)

    def _multiplied(self, image: jax.Array, key: jax.Array) -> jax.Array:
        if not self.gain:
            return image
        drawn = _centred(jax.random.uniform(jax.random.fold_in(key, _GAIN)))
        return self._clipped(image * (1.0 + self.gain * drawn))

    def _clipped(self, image: jax.Array) -> jax.Array:
        return jnp.clip(image, 0.0, 1.0) if self.clip else image

    def _blurred(self, image: jax.Array, key: jax.Array) -> jax.Array:
        from medst_jax.data.images.blur import gaussian_blur

        chance, drawn = jax.random.uniform(jax.random.fold_in(key, _BLUR), (2,))
        low, high = self.blur
        changed = gaussian_blur(image, low + (high - low) * drawn)
        return jnp.where(chance < self.blur_probability, changed, image)


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


def _folded(keys: jax.Array, number: int) -> jax.Array:
    return jax.vmap(lambda key: jax.random.fold_in(key, number))(keys)
