# SPDX-License-Identifier: Apache-2.0
"""Mask, box and visibility of a finding in one image, from the difference it makes.

The mask is where the difference exceeds a share of its peak. Visibility is that of an ideal
observer with a fixed anatomical noise: the root of the summed squared difference over the area,
in [0, 1); it does not depend on the image size. From `SEEN` on a finding counts as visible.
"""

from typing import NamedTuple

import numpy as np

SEEN = 0.5
SHARE = 0.25  # of the peak difference
FLOOR = 0.015  # attenuation below which nothing is marked
NOISE = 3.0  # mm of attenuation at which visibility is 1 - 1/e
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
    energy = float(np.sqrt((size[mask] ** 2).sum() * pixel**2))
    x0, y0, x1, y1 = (float(v) for v in box)
    return Sight(mask, (x0, y0, x1, y1), 1.0 - float(np.exp(-energy / NOISE)))
