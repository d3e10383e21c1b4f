# SPDX-License-Identifier: Apache-2.0
"""Grey values of a source image to the stored range, by the build's `intensity`.

* `none`: 8-bit values as they are; 16-bit values only into 16-bit files.
* `minmax`: darkest pixel to 0, brightest to the largest stored value.
* `voi_lut`: DICOM files through their VOI LUT or window, then min-max; other 16-bit images
  min-max; other 8-bit images as they are.
* `mimic_jpg`: min-max, then histogram equalisation, as MIMIC-CXR-JPG was made (Johnson et al.,
  arXiv:1901.07042).

MONOCHROME1 is inverted in every case, when the file is read.
"""

from __future__ import annotations

import cv2
import numpy as np


class IntensityError(ValueError):
    """Pixels that the chosen `intensity` and `encoding` cannot hold."""


def convert(pixels: np.ndarray, intensity: str, encoding: str, *, windowed: bool) -> np.ndarray:
    """Converts 2-D uint8, uint16 or float pixels.

    Args:
      pixels: [H, W]; floats are what a VOI LUT or a rescale by fractions yields.
      intensity: none, minmax, voi_lut or mimic_jpg.
      encoding: jpeg (uint8 result) or png16 (uint16 result).
      windowed: the pixels went through a DICOM file's VOI LUT.

    Returns:
      [H, W], uint8 for jpeg and uint16 for png16.

    Raises:
      IntensityError: intensity none for 16-bit pixels into 8 bits, or for fractions.
    """
    wide = encoding == "png16"
    if intensity == "mimic_jpg":
        return _widen(cv2.equalizeHist(_stretch(pixels, np.uint8)), wide)
    stretch = intensity == "minmax" or (
        intensity == "voi_lut" and (windowed or pixels.dtype != np.uint8)
    )
    if stretch:
        return _stretch(pixels, np.uint16 if wide else np.uint8)
    if pixels.dtype == np.uint8:
        return _widen(pixels, wide)
    if not wide or pixels.dtype != np.uint16:
        raise IntensityError(
            "16-bit image: needs --intensity=minmax, voi_lut or mimic_jpg, or --encoding=png16"
            if pixels.dtype == np.uint16
            else "rescaled image: needs --intensity=minmax, voi_lut or mimic_jpg"
        )
    return pixels


def _widen(pixels: np.ndarray, wide: bool) -> np.ndarray:
    return pixels.astype(np.uint16) * np.uint16(257) if wide else pixels


def _stretch(pixels: np.ndarray, dtype: type) -> np.ndarray:
    top = np.iinfo(dtype).max
    values = pixels.astype(np.float32)
    low, high = float(values.min()), float(values.max())
    if high <= low:
        return np.zeros(pixels.shape, dtype)
    return np.rint((values - low) * (top / (high - low))).astype(dtype)
