# SPDX-License-Identifier: Apache-2.0
"""Where in a study's frontal image a finding is, as pixels of the encoder's square.

Data sets say it in one of three ways, of which the first that is there is read:

  truth_mask    bytes of a PNG, 0 and 255, of the study's one image; none for nothing (SIIM)
  truth_masks   bits of a coarse grid over the image, a row for each of `truth_boxes` (simulated)
  truth_boxes   rows (image, column of the names, x0, y0, x1, y1): their union (RSNA, NIH, VinDr)
"""

from typing import Any, NamedTuple

import cv2
import numpy as np

from medst_jax.data.images import pixels
from medst_jax.data.images.preprocess import Preprocess
from medst_jax.data.records.studies import Studies
from medst_jax.evaluate.protocols.parts.similarity_maps import box_mask
from medst_jax.evaluate.statistics.outcome import NotApplicable
from medst_jax.evaluate.subjects.context import EvaluationContext
from medst_jax.evaluate.subjects.tasks import Task


class FindingMasks(NamedTuple):
    """mask, inside: bool [n, S, S]; where the finding is, and where the image proper is.

    What the encoder cuts off counts as outside.
    """

    mask: np.ndarray
    inside: np.ndarray

    @property
    def marked(self) -> np.ndarray:
        """Whether anything is marked in each image, bool [n]."""
        return np.asarray(self.mask.any(axis=(1, 2)))


def finding_masks(
    studies: Studies,
    rows: np.ndarray,
    finding: str,
    names: tuple[str, ...],
    size: int,
    fit: pixels.Fit,
    window: tuple[int, int] | None = None,
) -> FindingMasks:
    """Masks of one finding in the frontal images of some rows.

    Args:
      studies: with their truth.
      rows: int [n].
      finding: one of `names`.
      names: what the columns in `truth_boxes` mean.
      size: S, side of the square.
      fit: how an image becomes the square, see `pixels.fit_square`.
      window: its rows and columns that the encoder sees; None for all.

    Raises:
      NotApplicable: the data set marks nothing.
    """
    masks = np.zeros((len(rows), size, size), bool)
    inside = np.zeros_like(masks)
    square = Preprocess(size, fit)
    column = [name.lower() for name in names].index(finding.lower())
    for k, row in enumerate(rows):
        study = studies[int(row)]
        frontal = study.frontal()
        assert frontal is not None  # tasks hold rows with a frontal image
        number = [image.image_id for image in study.images].index(frontal.image_id)
        height, width = pixels.decode(frontal.data).shape
        inside[k] = box_mask(square.box([0.0, 0.0, width, height], height, width), size)
        if "truth_mask" in study.truth:
            masks[k] = _square(_png(study.truth["truth_mask"]), height, width, size, fit)
        elif "truth_boxes" in study.truth:
            boxes = np.asarray(study.truth["truth_boxes"], np.float32).reshape(-1, 6)
            mine = (boxes[:, 0] == number) & (boxes[:, 1] == column)
            if "truth_masks" in study.truth:
                grid = _grid(np.asarray(study.truth["truth_masks"])[mine])
                masks[k] = _square(grid, height, width, size, fit)
            else:
                placed = square.box(boxes[mine, 2:], height, width, frontal.affine)
                masks[k] = box_mask(placed, size)
        else:
            raise NotApplicable(
                f"{studies.name}/{studies.split} marks no finding in its images: it has neither "
                "truth_mask nor truth_boxes"
            )
    begin, end = window or (0, size)
    seen = np.zeros((size, size), bool)
    seen[begin:end, begin:end] = True
    inside &= seen
    return FindingMasks(masks & inside, inside)


def marked_images(task: Task, context: EvaluationContext) -> tuple[Task, FindingMasks]:
    """The images of a task of one class whose mask is known, and the masks.

    Images with the finding and no mask (nobody marked it, or it cannot be seen) are left out, and so
    are those without it that have one.

    Raises:
      NotApplicable: nothing is marked.
    """
    dataset, split = task.options.dataset, task.options.split
    studies = context.data.studies(dataset, split)
    names = context.data.truth_names(dataset) or tuple(studies.labels)
    masks = finding_masks(
        studies,
        task.rows,
        task.classes[0],
        names,
        context.data.size,
        context.data.fit,
        context.embedder.window,
    )
    marked, target = masks.marked, task.targets[:, 0]
    at = np.flatnonzero(((target == 1) & marked) | ((target == 0) & ~marked))
    if not marked[at].any():
        raise NotApplicable(f"{dataset}/{split} has no mask of {task.classes[0]}")
    return task.subset(at), FindingMasks(masks.mask[at], masks.inside[at])


def _png(data: Any) -> np.ndarray:
    """Bytes of a PNG as bool [h, w]; no bytes are an empty mask."""
    data = np.asarray(data, np.uint8)
    return pixels.decode(data.tobytes()) > 127 if len(data) else np.zeros((1, 1), bool)


def _grid(rows: np.ndarray) -> np.ndarray:
    """The union of packed masks uint8 [K, bytes] of a square grid."""
    bits = np.unpackbits(rows, axis=-1)
    side = round(bits.shape[-1] ** 0.5)
    return np.asarray(bits.reshape(-1, side, side).any(axis=0))


def _square(mask: np.ndarray, height: int, width: int, size: int, fit: pixels.Fit) -> np.ndarray:
    """A mask of the whole image, at any resolution, in the square: half covered counts."""
    whole = cv2.resize(mask.astype(np.uint8) * 255, (width, height), interpolation=cv2.INTER_AREA)
    return pixels.fit_square(whole, size, fit)[..., 0] > 127
