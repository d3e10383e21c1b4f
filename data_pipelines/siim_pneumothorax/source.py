# SPDX-License-Identifier: Apache-2.0
"""SIIM-ACR Pneumothorax Segmentation as a source.

| file | content |
|---|---|
| train-rle.csv or stage_2_train.csv | ImageId, EncodedPixels: one row per mask, -1 for none |
| dicom-images-train/STUDY/SERIES/IMAGEID.dcm | 1024 x 1024 images |

Several masks of one image are joined. Splits are 70/15/15 over images by the recipe of MGCA
(which applies it to rows of the table, so that images with several masks leak). The
images are a part of NIH ChestX-ray14. `truth_mask` holds the bytes of a PNG file of 0 and 255, none
when the image has no pneumothorax.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import cv2
import numpy as np
from etils import epath

from medst_jax.data_pipelines import cells
from medst_jax.data_pipelines.listing.about import About
from medst_jax.data_pipelines.listing.csv_table import CsvTable, TableError, TableRow, need_table
from medst_jax.data_pipelines.listing.dicom_items import from_header
from medst_jax.data_pipelines.listing.item import Item, Listing
from medst_jax.data_pipelines.listing.source import ListedSource
from medst_jax.data_pipelines.listing.splits import seventy_fifteen_fifteen
from medst_jax.data_pipelines.siim_pneumothorax import run_lengths

PNEUMOTHORAX = "Pneumothorax"
SIDE = 1024
_IMAGES = ("dicom-images-train", "stage_2_images", "train")
_NONE = "-1"
CAUTIONS = {
    "patients unknown": "no mapping of these images to patients was published: images of one "
    "patient may lie on both sides of a split, and NIH's images of test patients cannot be left "
    "out of training"
}


@dataclass(frozen=True)
class SiimPneumothorax(ListedSource):
    """The training images of the challenge."""

    name: str = "siim_pneumothorax"

    truth_features: ClassVar[Mapping[str, Any]] = {"truth_mask": (np.uint8, (None,))}

    about = About(
        licence="SIIM-ACR challenge terms of use (Kaggle)",
        intensity="mimic_jpg",
        description="SIIM-ACR pneumothorax challenge: radiographs of NIH ChestX-ray14 "
        "with masks of radiologists",
    )

    def read(self) -> Listing:
        table = CsvTable(need_table(self.source_dir, "train-rle.csv", "stage_2_train.csv"))
        rows, rejects = table.need("ImageId", "EncodedPixels").parse(parse_row)
        masks: dict[str, list[str]] = defaultdict(list)
        first: dict[str, int] = {}
        for line, image, code in rows:
            first.setdefault(image, line)
            masks[image] += [code] if code else []
        path_of = self._paths()
        split = seventy_fifteen_fifteen(first)
        items = [
            Item(
                row=line,
                patient_id=image,
                study_id=image,
                image_id=image,
                path=path_of.get(image, f"{_IMAGES[0]}/{image}.dcm"),
                labels={PNEUMOTHORAX: int(bool(masks[image]))},
                split=split[image],
                masks=tuple(masks[image]),
            )
            for image, line in first.items()
        ]
        return Listing(items, rejects, (PNEUMOTHORAX,), {"cautions": CAUTIONS})

    def complete(self, item: Item) -> Item:
        return from_header(self.source_dir, item)

    def truth(self, items: Sequence[Item]) -> dict[str, Any]:
        codes = [code for item in items for code in item.masks]
        if not codes:
            return {"truth_mask": np.zeros(0, np.uint8)}
        union = functools.reduce(
            np.logical_or, (run_lengths.decode(code, SIDE, SIDE) for code in codes)
        )
        return {"truth_mask": cv2.imencode(".png", union.astype(np.uint8) * 255)[1].ravel()}

    def _paths(self) -> Mapping[str, str]:
        root = epath.Path(self.source_dir)
        folder = next((name for name in _IMAGES if (root / name).is_dir()), None)
        if folder is None:
            raise TableError(f"{root} has none of the folders {', '.join(_IMAGES)}")
        files = [
            file for depth in ("*", "*/*", "*/*/*") for file in (root / folder).glob(f"{depth}.dcm")
        ]
        return {file.name.removesuffix(".dcm"): file.relative_to(root).as_posix() for file in files}


def parse_row(row: TableRow) -> tuple[int, str, str]:
    """(line, image, run lengths), these empty when the image has no pneumothorax.

    Raises:
      CellError: an image id or run lengths that cannot be.
    """
    image = cells.file_stem(row.get("ImageId"), "ImageId")
    code = cells.needed(row.get("EncodedPixels"), "EncodedPixels")
    if code == _NONE:
        return row.line, image, ""
    run_lengths.run_ends(code, SIDE * SIDE)
    return row.line, image, code
