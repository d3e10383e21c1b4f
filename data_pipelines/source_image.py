# SPDX-License-Identifier: Apache-2.0
"""A decoded source image, and the error of one that cannot be used."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NAN = float("nan")


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
