# SPDX-License-Identifier: Apache-2.0
"""From the batch's uint8 images to what an encoder takes, inside jit; part of a checkpoint."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from medst_jax.data.images import Fit
from medst_jax.options import OptionError, before, parse

Statistic = float | tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class Preprocess:
    """Resize, cut the centre out, replicate channels, normalise.

    size: side of the encoder's input, pixels.
    fit: how a source image became the square: "pad", "crop" or "stretch" (see `pixels.fit_square`).
    mean, std: of pixel values in [0, 1], one number or one per channel.
    channels: grey is replicated to this many.
    crop_from: side of the square, pixels, of which the encoder takes the centre: "resize 256, crop
      224" is crop_from=256, size=224. None for no crop. Training may crop elsewhere, see
      `Augment.crop`.
    """

    size: int
    fit: Fit = "pad"
    mean: Statistic = 0.5
    std: Statistic = 0.5
    channels: int = 3
    crop_from: int | None = dataclasses.field(default=None, metadata=before(None))

    def __post_init__(self) -> None:
        if self.crop_from is not None and self.crop_from < self.size:
            raise OptionError(
                f"preprocess.crop_from is {self.crop_from}, less than preprocess.size, "
                f"{self.size}, which is cut out of it; make it larger, or None for no crop"
            )
        for name in ("mean", "std"):
            value = getattr(self, name)
            if isinstance(value, tuple) and len(value) != self.channels:
                raise OptionError(
                    f"preprocess.{name} has {len(value)} values for {self.channels} channels"
                )
        if np.any(np.asarray(self.std) <= 0):
            raise OptionError(f"preprocess.std is {self.std}; it must be positive")

    @property
    def square(self) -> int:
        """Side of the square before the crop, pixels."""
        return self.size if self.crop_from is None else self.crop_from

    def window(self, side: int) -> tuple[int, int]:
        """Where the crop begins and ends on either axis of stored squares of `side` pixels."""
        begin = self._begin
        ends = begin * side / self.square, (begin + self.size) * side / self.square
        return round(ends[0]), round(ends[1])

    @property
    def _begin(self) -> int:
        return (self.square - self.size) // 2

    def __call__(self, images: jax.Array) -> jax.Array:
        """uint8 [B, S, S, 1] to float32 [B, size, size, channels]: resized, cropped, normalised."""
        # Steps of their own, because augmentation in training goes between them.
        return self.normalise(centre_crop(self.resize(images), self.size))

    def resize(self, images: jax.Array) -> jax.Array:
        """uint8 [B, S, S, 1] to float32 [B, square, square, 1] in [0, 1], antialiased."""
        values = images.astype(jnp.float32) / 255.0
        # Images stored at this size: no resampling, also in exported programs.
        if images.shape[1:3] == (self.square, self.square):
            return values
        shape = (images.shape[0], self.square, self.square, images.shape[3])
        return jax.image.resize(values, shape, "linear", antialias=True)

    def normalise(self, values: jax.Array) -> jax.Array:
        """float32 [B, size, size, 1] in [0, 1] to float32 [B, size, size, channels]."""
        mean, std = jnp.asarray(self.mean, jnp.float32), jnp.asarray(self.std, jnp.float32)
        # Grey is copied to the channels that a pretrained encoder expects, each with its statistics.
        replicated = jnp.broadcast_to(values, (*values.shape[:-1], self.channels))
        return (replicated - mean) / std

    def box(
        self,
        box: Sequence[float] | np.ndarray,
        height: int,
        width: int,
        stored_from_source: np.ndarray | None = None,
    ) -> np.ndarray:
        """Map boxes on a source image to the encoder's input, clipped to it.

        Args:
          box: (x0, y0, x1, y1), or [..., 4] of them, in pixel-edge coordinates of the source.
          height: of the stored image, pixels.
          width: of the stored image, pixels.
          stored_from_source: [2, 3], acts on (x, y, 1); None when they are the same image.

        Returns:
          float32 [..., 4] in [0, size]; a box cropped away has no area.
        """
        # Here, because a model is built without the image decoders that this file imports.
        from medst_jax.data.images.pixels import fit_affine

        corners = np.asarray(box, np.float64).reshape(-1, 2)
        if stored_from_source is not None:
            corners = _transform(np.asarray(stored_from_source, np.float64), corners)
        corners = _transform(fit_affine(height, width, self.square, self.fit), corners)
        clipped = np.clip(corners - self._begin, 0.0, self.size)
        return clipped.astype(np.float32).reshape(np.shape(box))

    def seen_box(
        self, box: Sequence[float] | np.ndarray, height: int, width: int, side: int
    ) -> np.ndarray:
        """Boxes on a stored image in the batch's squares of `side` pixels, clipped to the crop.

        Args:
          box: (x0, y0, x1, y1), or [..., 4] of them, in pixel-edge coordinates.
          height: of the stored image, pixels.
          width: of the stored image, pixels.
          side: S of the batch.

        Returns:
          float32 [..., 4] within `window(side)`, but for its rounding.
        """
        inside = self.box(box, height, width) + np.float32(self._begin)
        return inside * np.float32(side / self.square)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; `from_dict` reads them back."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Preprocess":
        """Build from what `to_dict` gave, JSON's lists included."""
        return parse(cls, values, "preprocess")


def centre_crop(images: jax.Array, size: int) -> jax.Array:
    """The centre [B, size, size, c] of images [B, n, n, c]; an odd pixel more stays below and right."""
    if images.shape[1] == size:
        return images
    begin = (images.shape[1] - size) // 2
    return images[:, begin : begin + size, begin : begin + size]


def _transform(affine: np.ndarray, points: np.ndarray) -> np.ndarray:
    return points @ affine[:, :2].T + affine[:, 2]
