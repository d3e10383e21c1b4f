# SPDX-License-Identifier: Apache-2.0
"""Masks of findings as bits on a coarse grid: one row of bytes per box.

`GRID` x `GRID` cells cover the image; a cell is set when at least a quarter of it belongs to the mask,
and the fullest cell always is. Rows are in the order of `truth_boxes`, which name the image and
the finding. Images smaller than the grid repeat their pixels.
"""

import cv2
import numpy as np

GRID = 64
BYTES = GRID * GRID // 8


def pack(mask: np.ndarray) -> np.ndarray:
    """Packs a mask, bool [S, S], into uint8 [BYTES]: rows from the top, high bit first."""
    size = mask.shape[0]
    how = cv2.INTER_AREA if size > GRID else cv2.INTER_NEAREST
    share = cv2.resize(mask.astype(np.float32), (GRID, GRID), interpolation=how)
    return np.packbits(share >= min(0.25, float(share.max())))


def unpack(rows: np.ndarray) -> np.ndarray:
    """Unpacks uint8 [n, BYTES] into bool [n, GRID, GRID]."""
    return np.unpackbits(rows, axis=-1).reshape(*rows.shape[:-1], GRID, GRID).astype(bool)
