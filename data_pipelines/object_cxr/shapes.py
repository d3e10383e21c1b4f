# SPDX-License-Identifier: Apache-2.0
"""The shapes of Object-CXR's annotations: rectangles, ellipses and polygons in pixels of the image."""

from __future__ import annotations

import re
from collections.abc import Sequence

import cv2
import numpy as np

from medst_jax.data_pipelines.cells import CellError

RECTANGLE, ELLIPSE, POLYGON = "0", "1", "2"
_SHAPE = re.compile(r"[012](?: \d+)+")
_LONGEST = 1024  # of a mask: objects are seen in far fewer pixels


def parse_shapes(cell: str) -> tuple[str, ...]:
    """The shapes of a cell such as "0 10 20 30 40;2 5 5 9 5 9 9": kind, then x and y in turn.

    Rectangles and ellipses have two corners, polygons three points at least.

    Raises:
      CellError: anything else.
    """
    shapes = tuple(part.strip() for part in cell.split(";") if part.strip())
    for shape in shapes:
        if not _SHAPE.fullmatch(shape):
            raise CellError("annotation is not kind x y x y ...")
        kind, points = shape[0], _points(shape)
        if kind == POLYGON:
            if len(points) < 3:
                raise CellError("polygon of fewer than three points")
        elif len(points) != 2 or (points[1] <= points[0]).any():
            raise CellError("corners are not upper left and lower right")
    return shapes


def draw(shapes: Sequence[str], width: int, height: int) -> np.ndarray:
    """The union of the shapes of an image as bool [h, w], its longest side 1,024 at most."""
    scale = min(1.0, _LONGEST / max(width, height))
    mask = np.zeros((max(1, round(height * scale)), max(1, round(width * scale))), np.uint8)
    for shape in shapes:
        points = _points(shape) * scale
        if shape[0] == POLYGON:
            cv2.fillPoly(mask, [points.round().astype(np.int32)], 1)
            continue
        first, last = points.round().astype(int)
        if shape[0] == RECTANGLE:
            cv2.rectangle(mask, first.tolist(), last.tolist(), 1, cv2.FILLED)
        else:
            centre, axes = (first + last) // 2, np.maximum((last - first) // 2, 1)
            cv2.ellipse(mask, centre.tolist(), axes.tolist(), 0, 0, 360, 1, cv2.FILLED)
    return mask.astype(bool)


def _points(shape: str) -> np.ndarray:
    """float [K, 2]; raises CellError for an odd number of coordinates."""
    numbers = [float(number) for number in shape.split(" ")[1:]]
    if len(numbers) % 2:
        raise CellError("annotation is not kind x y x y ...")
    return np.asarray(numbers).reshape(-1, 2)
