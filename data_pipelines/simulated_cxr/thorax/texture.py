# SPDX-License-Identifier: Apache-2.0
"""Smooth random fields and blurs on the detector grid."""

from typing import Any

import cv2
import numpy as np


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], cells: int) -> np.ndarray:
    """Returns a field [H, W] float32, mean 0 and deviation about 0.7, `cells` bumps across."""
    coarse = rng.standard_normal((cells, cells), dtype=np.float32)
    return cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)


def wide_blur(image: np.ndarray, share: float) -> np.ndarray:
    """Blurs [H, W] float32 with a deviation of `share` of the width, on a coarse grid."""
    height, width = image.shape
    coarse = cv2.resize(image, (32, 32), interpolation=cv2.INTER_AREA)
    coarse = cv2.GaussianBlur(coarse, (0, 0), max(share * 32, 0.5), borderType=cv2.BORDER_REPLICATE)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)


def soften(image: np.ndarray, pixels: float) -> np.ndarray:
    """Blurs [H, W] float32 with a deviation of `pixels`; below 0.3 it is left as it is."""
    if pixels < 0.3 or min(image.shape) == 0:
        return image
    size = 2 * int(np.ceil(2 * pixels)) + 1
    return cv2.GaussianBlur(image, (size, size), pixels, borderType=cv2.BORDER_REPLICATE)


def quantiles(values: np.ndarray, *shares: float) -> list[Any]:
    """Returns `np.quantile` of a float32 array at shares in [0, 1), to the last bit, but faster.

    A share of numpy's float64 gives a float64, one of Python's float a float32.
    """
    flat = values.ravel()
    places = [(len(flat) - 1) * share for share in shares]
    below = [int(np.floor(place)) for place in places]
    ranked = np.partition(flat, sorted({k + step for k in below for step in (0, 1)}))
    interpolated = []
    for place, k in zip(places, below, strict=True):
        rest = place - type(place)(k)
        step = ranked[k + 1] - ranked[k]
        if rest < 0.5:
            interpolated.append(ranked[k] + step * rest)
        else:
            interpolated.append(ranked[k + 1] - step * (1 - rest))
    return interpolated
