# SPDX-License-Identifier: Apache-2.0
"""Baselines without a network: pixels as features, to see what a probe reads off trivially.

"frame" keeps the outer 3/64 of the image, where no lung is: burnt-in letters, borders and
collimation. What it reaches is a property of the data set, not of any encoder.
"""

from collections.abc import Callable

import cv2
import numpy as np

from medst_jax.evaluate.subjects.embedder import Embeddings
from medst_jax.evaluate.subjects.features_only import FeaturesOnly

_FRAME_SIDE, _FRAME_WIDTH = 64, 3
_ALL_SIDE = 32


def frame_pixels(image: np.ndarray) -> np.ndarray:
    """The frame of width 3 of uint8 [S, S] shrunk to 64 x 64, float32 [732] in [0, 1]."""
    inside = slice(_FRAME_WIDTH, _FRAME_SIDE - _FRAME_WIDTH)
    frame = np.ones((_FRAME_SIDE, _FRAME_SIDE), bool)
    frame[inside, inside] = False
    return _shrunk(image, _FRAME_SIDE)[frame]


def all_pixels(image: np.ndarray) -> np.ndarray:
    """uint8 [S, S] shrunk to 32 x 32, float32 [1024] in [0, 1]."""
    return _shrunk(image, _ALL_SIDE).ravel()


BASELINES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "frame_pixels": frame_pixels,
    "all_pixels": all_pixels,
}


class PixelEmbedder(FeaturesOnly):
    """Pixels as features.

    Args:
      name: one of `BASELINES`.
      size: S of the images.
    """

    what = "a pixel baseline"

    def __init__(self, name: str, size: int) -> None:
        if name not in BASELINES:
            raise ValueError(f"baseline {name!r} is unknown; known: {', '.join(BASELINES)}")
        super().__init__(size)
        self._features = BASELINES[name]

    def images(self, images: np.ndarray) -> Embeddings:
        """Embed uint8 `images` [N, S, S, 1]."""
        width = len(self._features(np.zeros((self.size, self.size), np.uint8)))
        rows = [self._features(image[..., 0]) for image in images]
        features = np.asarray(rows, np.float32).reshape(len(images), width)
        return Embeddings(features, features)


def _shrunk(image: np.ndarray, side: int) -> np.ndarray:
    resized = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    return resized.astype(np.float32) / 255.0
