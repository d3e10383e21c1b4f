# SPDX-License-Identifier: Apache-2.0
"""From the batch's uint8 images to what an encoder takes, inside jit; part of a checkpoint."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from medst_jax.data.images import Fit
from medst_jax.options import OptionError, parse

Statistic = float | tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class Preprocess:
    """Resize, replicate channels, normalise.

    size: side of the encoder's input, pixels.
    fit: how a source image became the square: "pad" or "crop" (see `pixels.fit_square`).
    mean, std: of pixel values in [0, 1], one number or one per channel.
    channels: grey is replicated to this many.
    """

    size: int
    fit: Fit = "pad"
    mean: Statistic = 0.5
    std: Statistic = 0.5
    channels: int = 3

    def __post_init__(self) -> None:
        for name in ("mean", "std"):
            value = getattr(self, name)
            if isinstance(value, tuple) and len(value) != self.channels:
                raise OptionError(
                    f"preprocess.{name} has {len(value)} values for {self.channels} channels"
                )
        if np.any(np.asarray(self.std) <= 0):
            raise OptionError(f"preprocess.std is {self.std}; it must be positive")

    def __call__(self, images: jax.Array) -> jax.Array:
        """uint8 [B, S, S, 1] to float32 [B, size, size, channels]: `normalise(resize(images))`."""
        # Two steps, because augmentation in training goes between them.
        return self.normalise(self.resize(images))

    def resize(self, images: jax.Array) -> jax.Array:
        """uint8 [B, S, S, 1] to float32 [B, size, size, 1] in [0, 1], antialiased."""
        values = images.astype(jnp.float32) / 255.0
        # Images stored at the encoder's size: no resampling, also in exported programs.
        if images.shape[1:3] == (self.size, self.size):
            return values
        shape = (images.shape[0], self.size, self.size, images.shape[3])
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
        """Map boxes on a source image to the encoder's square, clipped to it.

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
        corners = _transform(fit_affine(height, width, self.size, self.fit), corners)
        return np.clip(corners, 0.0, self.size).astype(np.float32).reshape(np.shape(box))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; `from_dict` reads them back."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Preprocess":
        """Build from what `to_dict` gave, JSON's lists included."""
        return parse(cls, values, "preprocess")


def _transform(affine: np.ndarray, points: np.ndarray) -> np.ndarray:
    return points @ affine[:, :2].T + affine[:, 2]
