# SPDX-License-Identifier: Apache-2.0
"""Maps of how well each place of an image suits a sentence, and how well a map finds boxes.

Maps and boxes live in the square that a batch holds. Pixels outside the image proper (padding), and
those that the encoder cuts off, are NaN and count for nothing.
"""

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter

SMOOTHING = 1.5  # of the patch grid, in patches, as released
THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5)
METRICS = ("signed_cnr", "absolute_cnr", "miou", "iou_same_area", "pointing")


Window = tuple[int, int]  # first and last end of rows, and columns


def similarity_map(
    patches: np.ndarray, text: np.ndarray, size: int, window: Window | None = None
) -> np.ndarray:
    """Cosines of a square grid of patches with a text, smoothed and enlarged.

    Args:
      patches: [P, E] unit norm, in row order.
      text: [E] unit norm.
      size: side of the square, pixels.
      window: the part of it that the patches cover; None for all.

    Returns:
      float32 [size, size], NaN outside the window.

    Raises:
      ValueError: P is no square number.
    """
    return smoothed(patches @ text, size, window)


def smoothed(scores: np.ndarray, size: int, window: Window | None = None) -> np.ndarray:
    """Scores [P] of a square grid of regions, smoothed and enlarged: float32 [size, size].

    NaN outside `window`, which the regions cover; None for all.
    """
    return _enlarged(gaussian_filter(_grid(scores), SMOOTHING), size, window)


def enlarged(scores: np.ndarray, size: int, window: Window | None = None) -> np.ndarray:
    """As `smoothed`, of the scores as they are."""
    return _enlarged(_grid(scores), size, window)


def _grid(scores: np.ndarray) -> np.ndarray:
    side = round(len(scores) ** 0.5)
    if side * side != len(scores):
        raise ValueError(f"{len(scores)} patches are no square grid; maps need one")
    return scores.reshape(side, side).astype(np.float32)


def _enlarged(grid: np.ndarray, size: int, window: Window | None) -> np.ndarray:
    begin, end = window or (0, size)
    square = np.full((size, size), np.nan, np.float32)
    seen = slice(begin, end)
    square[seen, seen] = cv2.resize(grid, (end - begin,) * 2, interpolation=cv2.INTER_LINEAR)
    return square


def box_mask(boxes: np.ndarray, size: int) -> np.ndarray:
    """The union of boxes [K, 4] (x0, y0, x1, y1) as bool [size, size]; ends rounded outwards."""
    mask = np.zeros((size, size), bool)
    for x0, y0, x1, y1 in np.asarray(boxes).reshape(-1, 4):
        mask[int(np.floor(y0)) : int(np.ceil(y1)), int(np.floor(x0)) : int(np.ceil(x1))] = True
    return mask


def contrast_to_noise(values: np.ndarray, mask: np.ndarray) -> float:
    """Signed contrast-to-noise ratio: (mean inside - mean outside) / sqrt(sum of variances).

    NaN where inside or outside holds no pixel. The papers report its absolute value, which a map
    that is high everywhere but inside the box maximises as well.

    Reference: Boecking et al., arXiv:2204.09817, section 4.4.
    """
    inside, outside = values[mask & ~np.isnan(values)], values[~mask & ~np.isnan(values)]
    if not len(inside) or not len(outside):
        return float("nan")
    noise = np.sqrt(inside.var() + outside.var())
    return float((inside.mean() - outside.mean()) / max(noise, 1e-8))


def mean_overlap(values: np.ndarray, mask: np.ndarray) -> float:
    """Intersection over union of box and map above a threshold, mean over 0.1 to 0.5."""
    valid = ~np.isnan(values)
    box = mask & valid
    ratios = []
    for threshold in THRESHOLDS:
        above = valid & (np.where(valid, values, 0.0) > threshold)
        union = np.sum(above | box)
        ratios.append(np.sum(above & box) / union if union else np.nan)
    return float(np.mean(ratios))


def area_overlap(values: np.ndarray, mask: np.ndarray) -> float:
    """Intersection over union of the box and as many highest pixels as the box has.

    Needs no threshold: any rising function of the map gives the same.
    """
    valid = ~np.isnan(values)
    box = mask[valid]
    count = int(box.sum())
    if not count:
        return float("nan")
    highest = np.argsort(-values[valid], kind="stable")[:count]
    hits = int(box[highest].sum())
    return hits / (2 * count - hits)


def pointing(values: np.ndarray, mask: np.ndarray) -> float:
    """Whether the highest pixel lies in the box, 0 or 1; of equally high pixels, the share.

    NaN where the box holds no pixel of the image.

    Reference: the pointing game of Zhang et al., arXiv:1608.00507, section 4.2, without tolerance.
    """
    valid = ~np.isnan(values)
    box = mask & valid
    if not box.any():
        return float("nan")
    highest = valid & (values == np.max(values[valid]))
    return float(box[highest].mean())


def map_numbers(
    smooth: np.ndarray, sharp: np.ndarray, mask: np.ndarray, inside: np.ndarray
) -> list[float]:
    """The METRICS of a map.

    Args:
      smooth: [S, S], the map that is compared with the mask.
      sharp: [S, S], the same before smoothing, whose highest place points.
      mask: bool [S, S], where the thing is.
      inside: bool [S, S], the image proper.
    """
    within = np.where(inside, smooth, np.nan)
    signed = contrast_to_noise(within, mask)
    return [
        signed,
        abs(signed),
        mean_overlap(within, mask),
        area_overlap(within, mask),
        pointing(np.where(inside, sharp, np.nan), mask),
    ]
