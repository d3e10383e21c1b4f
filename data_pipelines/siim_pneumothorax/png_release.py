# SPDX-License-Identifier: Apache-2.0
"""SIIM-ACR Pneumothorax as PNG files: stage 1 as it was copied to Kaggle, and as BenchX reads it.

| file | content |
|---|---|
| stage_1_train_images.csv, stage_1_test_images.csv | new_filename, ImageId, has_pneumo |
| png_images/NEW_FILENAME | 1024 x 1024 images |
| png_masks/NEW_FILENAME | masks of 0 and 255 |

The folder may be `siim-acr-pneumothorax/` or hold it. The test set is stage 1's; 10% of the other images,
by hash, are for validation. Patients are the images' ImageIds, as in `source.py`, so that either
release is left out of training on the other.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import cv2
import numpy as np
from etils import epath

from medst_jax.data_pipelines import cells, image_files
from medst_jax.data_pipelines.cells import CellError
from medst_jax.data_pipelines.listing import splits
from medst_jax.data_pipelines.listing.csv_table import CsvTable, TableRow, need_table
from medst_jax.data_pipelines.listing.item import Item, Listing
from medst_jax.data_pipelines.listing.source import ListedSource
from medst_jax.data_pipelines.raw import Reject
from medst_jax.data_pipelines.siim_pneumothorax.source import (
    CAUTIONS,
    PNEUMOTHORAX,
    SiimPneumothorax,
)

_RELEASE = "siim-acr-pneumothorax"


@dataclass(frozen=True)
class SiimPng(ListedSource):
    """The images of both lists."""

    name: str = "siim_pneumothorax_png"

    truth_features: ClassVar[Mapping[str, Any]] = SiimPneumothorax.truth_features

    about = dataclasses.replace(
        SiimPneumothorax.about, intensity="none", namespace="siim_pneumothorax"
    )

    def read(self) -> Listing:
        root = epath.Path(self.source_dir)
        inside = f"{_RELEASE}/" if (root / _RELEASE).is_dir() else ""
        items: list[Item] = []
        rejects: list[Reject] = []
        for part in ("train", "test"):
            path = need_table(root / inside, f"stage_1_{part}_images.csv")
            parsed, refused = _read(CsvTable(path), inside, part)
            items += parsed
            rejects += [Reject(r.row, f"{path.name}: {r.reason}") for r in refused]
        return Listing(items, rejects, (PNEUMOTHORAX,), {"cautions": CAUTIONS})

    def complete(self, item: Item) -> Item:
        """The item, its mask found readable."""
        for path in item.masks:
            _mask(self.source_dir, path)
        return item

    def truth(self, items: Sequence[Item]) -> dict[str, Any]:
        paths = [path for item in items for path in item.masks]
        if not paths:
            return {"truth_mask": np.zeros(0, np.uint8)}
        mask = _mask(self.source_dir, paths[0])  # a study has one image
        return {"truth_mask": cv2.imencode(".png", mask.astype(np.uint8) * 255)[1].ravel()}


def _read(table: CsvTable, inside: str, part: str) -> tuple[list[Item], list[Reject]]:
    table.need("new_filename", "ImageId", "has_pneumo")
    return table.parse(lambda row: _item(row, inside, part), unique="new_filename")


def _item(row: TableRow, inside: str, part: str) -> Item:
    file = row.get("new_filename")
    stem = file.removesuffix(".png")
    if stem == file or cells.file_stem(stem, "new_filename") != stem:
        raise CellError("new_filename is not the name of a PNG file")
    patient = cells.needed(row.get("ImageId"), "ImageId")
    positive = cells.flag(row.get("has_pneumo"), "has_pneumo")
    return Item(
        row=row.line,
        patient_id=patient,
        study_id=stem,
        image_id=stem,
        path=f"{inside}png_images/{file}",
        labels={PNEUMOTHORAX: positive},
        split="test" if part == "test" else splits.hold_out(patient),
        masks=(f"{inside}png_masks/{file}",) if positive else (),
    )


def _mask(source_dir: str, path: str) -> np.ndarray:
    """bool [h, w]; raises UnreadableImage for a file that is no mask with something marked."""
    return image_files.decode(image_files.read_bytes(source_dir, path)).pixels > 127
