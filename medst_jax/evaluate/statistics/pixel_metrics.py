# SPDX-License-Identifier: Apache-2.0
"""How well a map of scores covers a mask, one image at a time. Pixels outside the image are NaN."""

import numpy as np
from sklearn.metrics import average_precision_score


def dice(predicted: np.ndarray, mask: np.ndarray) -> float:
    """Twice the overlap over the sum of the areas, of bool arrays; 1 where both are empty.

    The rule for empty masks is that of the SIIM-ACR challenge.

    >>> dice(np.array([True, True, False]), np.array([True, False, False]))
    0.6666666666666666
    """
    total = int(predicted.sum()) + int(mask.sum())
    return 2 * int((predicted & mask).sum()) / total if total else 1.0


def pixel_precision(scores: np.ndarray, mask: np.ndarray) -> float:
    """Average precision of the scores as a ranking of the image's pixels.

    NaN where the mask is empty.
    """
    valid = ~np.isnan(scores)
    if not mask[valid].any():
        return float("nan")
    return float(average_precision_score(mask[valid], scores[valid]))


def best_threshold(maps: np.ndarray, masks: np.ndarray) -> float:
    """Of 0.05, 0.1, ..., 0.95 the threshold with the highest mean Dice.

    Args:
      maps: [n, S, S] scores in [0, 1], NaN outside the image.
      masks: bool [n, S, S].
    """
    steps = np.arange(1, 20) / 20
    means = [
        np.mean([dice(m > step, mask) for m, mask in zip(maps, masks, strict=True)])
        for step in steps
    ]
    return float(steps[int(np.argmax(means))])
