# SPDX-License-Identifier: Apache-2.0
"""A perceptual hash of radiographs, and the search for equal or nearly equal ones.

Whether brightness rises or falls between neighbouring cells of a coarse grid hardly changes when
an image is scaled, compressed again or given another contrast (a difference hash). 256 bits tell
chest radiographs apart; the usual 64 do not, for all of them look much alike.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

SIDE = 16  # cells a side, which makes SIDE * SIDE bits
WORDS = SIDE * SIDE // 16
# Two hashes this close share at least one of their 16-bit words, so that words find candidates.
# Of NIH ChestX-ray14, images scaled to 3/4 and compressed again are 6 bits from themselves in the
# median and 16 at the 99th percentile; images of different patients are at least 22 apart.
RADIUS = WORDS - 1


def hash_image(pixels: np.ndarray) -> np.ndarray:
    """uint16 [WORDS] of a grey image [H, W]."""
    cells = cv2.resize(pixels, (SIDE + 1, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    bits = np.diff(cells, axis=1) > 0
    return np.packbits(bits.ravel()).view(np.uint16)


def distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Differing bits between hashes [..., WORDS]."""
    return np.bitwise_count(np.bitwise_xor(a, b)).sum(-1)


def near_pairs(left: np.ndarray, right: np.ndarray) -> Iterator[tuple[int, int]]:
    """(i, j) of hashes left[i], right[j] at most RADIUS bits apart, each once.

    Args:
      left: uint16 [N, WORDS].
      right: uint16 [M, WORDS].
    """
    seen: set[tuple[int, int]] = set()
    for word in range(WORDS):
        order = np.argsort(right[:, word], kind="stable")
        values = right[order, word]
        first = np.searchsorted(values, left[:, word], "left")
        last = np.searchsorted(values, left[:, word], "right")
        for i in np.flatnonzero(last > first):
            candidates = order[first[i] : last[i]]
            close = candidates[distance(left[i], right[candidates]) <= RADIUS]
            for j in close.tolist():
                if (int(i), j) not in seen:
                    seen.add((int(i), j))
                    yield int(i), j
