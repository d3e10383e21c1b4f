# SPDX-License-Identifier: Apache-2.0
"""Boxes of a table brought to the file that is there: a resized copy has other pixels."""

from __future__ import annotations

import dataclasses

from medst_jax.data_pipelines import image_files
from medst_jax.data_pipelines.listing.item import Box, Item
from medst_jax.data_pipelines.raw import Reject

OUTSIDE = "box lies outside the image"
# Readers draw to the border and tables round: so many pixels beyond it are cut off.
_SLACK = 2.0


def fit_box(box: Box, frame: tuple[int, int] | None, size: tuple[int, int]) -> Box | None:
    """The box in pixels of the file; None when it lies outside.

    Args:
      box: corners in pixels of the frame.
      frame: (width, height) of the image that the table is about; None for the file's own.
      size: (width, height) of the file.
    """
    width, height = size
    x, y = (1.0, 1.0) if frame is None else (width / frame[0], height / frame[1])
    x0, y0, x1, y1 = box.x0 * x, box.y0 * y, box.x1 * x, box.y1 * y
    if min(x0, y0) < -_SLACK or x1 > width + _SLACK or y1 > height + _SLACK:
        return None
    return Box(box.finding, max(x0, 0.0), max(y0, 0.0), min(x1, width), min(y1, height))


def fit_boxes(
    item: Item, source_dir: str, frame: tuple[int, int] | None
) -> tuple[Item, list[Reject]]:
    """The item with its boxes in pixels of its file, and the boxes that lie outside it.

    An item whose file cannot be read is left as it is: decoding the image says why.
    """
    if not item.boxes:
        return item, []
    try:
        size = image_files.read_size(image_files.read_bytes(source_dir, item.path))
    except image_files.UnreadableImage:
        return item, []
    boxes = [fit_box(box, frame, size) for box in item.boxes]
    inside = tuple(box for box in boxes if box is not None)
    rejects = [Reject(item.row, OUTSIDE)] * (len(boxes) - len(inside))
    return dataclasses.replace(item, boxes=inside), rejects
