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


def pixel_counts(predicted: np.ndarray, mask: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Pixels of an image that are marked rightly, marked wrongly, missed, left out rightly: int [4]."""
    marked, truth = predicted[inside], mask[inside]
    sides = (marked & truth, marked & ~truth, ~marked & truth, ~marked & ~truth)
    return np.array([int(side.sum()) for side in sides])


def mean_dice(counts: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Dice over the pixels of all images, the mean of that of marked and of unmarked ones: [R].

    The mDice of MMSegmentation, which BenchX (arXiv:2410.21969) prints. Its second half is near one
    where findings are small.

    Args:
      counts: [n, 4] of `pixel_counts`.
      weights: [R, n].
    """
    hit, wrong, missed, rest = (np.asarray(weights, np.float64) @ counts).T

    def dice_of(overlap: np.ndarray) -> np.ndarray:
        total = 2 * overlap + wrong + missed
        return np.divide(2 * overlap, total, out=np.ones_like(total), where=total > 0)

    return (dice_of(hit) + dice_of(rest)) / 2


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
