# SPDX-License-Identifier: Apache-2.0
"""A decoded source image, and the error of one that cannot be used."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NAN = float("nan")
# A hostile header must not ask for more memory than a machine has; real films have 4 to 20.
MAX_MEGAPIXELS = 128


class UnreadableImage(ValueError):
    """An image that cannot be used; the message is a reason without names or ids."""


@dataclass(frozen=True)
class SourceImage:
    """pixels: [H, W] uint8, uint16 or float32. jpeg: the file, when it is a grey JPEG.

    windowed: the pixels went through a DICOM file's VOI LUT. spacing: (row, column) in mm.
    """

    pixels: np.ndarray
    jpeg: bytes | None = None
    windowed: bool = False
    spacing: tuple[float, float] = (NAN, NAN)


def check_size(height: int, width: int) -> None:
    """Raises UnreadableImage for an image without pixels or with too many."""
    if height < 1 or width < 1:
        raise UnreadableImage("image without pixels")
    if height * width > MAX_MEGAPIXELS * 10**6:
        raise UnreadableImage(f"image of more than {MAX_MEGAPIXELS} megapixels")
