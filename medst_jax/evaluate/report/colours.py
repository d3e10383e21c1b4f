# SPDX-License-Identifier: Apache-2.0
"""As many colours as there are curves, all told apart, on white and on black."""

import functools

import cv2
import numpy as np

_LIGHT, _CHROMA = (46.0, 64.0), 48.0
_FIRST_HUE = 265.0  # blue


@functools.lru_cache
def palette(count: int) -> tuple[str, ...]:
    """`count` colours "#rrggbb" with hues evenly spaced in CIELAB, darker and lighter in turn.

    Hues of neighbours in the list lie apart: the list goes round the circle in steps of about
    three eighths.
    """
    if not count:
        return ()
    step = next(s for s in range(max(1, round(0.382 * count)), count + 1) if np.gcd(s, count) == 1)
    places = (np.arange(count) * step) % count
    hues = np.radians(_FIRST_HUE + 360.0 * places / count)
    light = np.array(_LIGHT)[places % 2]
    lab = np.stack([light, _CHROMA * np.cos(hues), _CHROMA * np.sin(hues)], -1)
    rgb = cv2.cvtColor(lab[None].astype(np.float32), cv2.COLOR_Lab2RGB)[0]
    values = np.clip(np.rint(255 * rgb), 0, 255).astype(int)
    return tuple(f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in values.tolist())
