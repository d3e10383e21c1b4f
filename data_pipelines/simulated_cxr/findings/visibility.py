# SPDX-License-Identifier: Apache-2.0
"""Mask, box and visibility of a finding in one image, from the difference it makes.

The mask is where the difference exceeds a share of its peak. Visibility grows with the contrast
in the mask, after scatter, and slowly with its area: anatomical noise is correlated, so area helps
far less than it would against white noise. It is in [0, 1) and hardly depends on the image size. From `SEEN` on a finding counts as visible.
"""

from typing import NamedTuple

import numpy as np

SEEN = 0.5
SHARE = 0.25  # of the peak difference
FLOOR = 0.015  # attenuation below which nothing is marked
NOISE = 1.0  # contrast times area (mm^2) to the power EXTENT at which visibility is 1 - 1/e
EXTENT = 0.15
SMALLEST = 4.0  # mm^2, area of the smallest mask that counts


class Sight(NamedTuple):
    """`mask` bool [S, S]; `box` x0, y0, x1, y1 in pixels, ends exclusive, NaN without mask."""

    mask: np.ndarray
    box: tuple[float, float, float, float]
    visibility: float


def see(delta: np.ndarray, pixel: float) -> Sight:
    """Measures the difference [S, S] of one finding; `pixel` is in mm."""
    size = np.abs(delta)
    mask = size > max(SHARE * float(size.max()), FLOOR)
    if mask.sum() * pixel**2 < SMALLEST:
        return Sight(np.zeros_like(mask), (np.nan,) * 4, 0.0)
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    box = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    contrast = float(np.sqrt((size[mask] ** 2).mean()))
    signal = contrast * float(mask.sum() * pixel**2) ** EXTENT
    x0, y0, x1, y1 = (float(v) for v in box)
    return Sight(mask, (x0, y0, x1, y1), 1.0 - float(np.exp(-signal / NOISE)))
