# SPDX-License-Identifier: Apache-2.0
"""Object-CXR as a source.

| file | content |
|---|---|
| train.csv, dev.csv, test.csv | image_name (or image_path), annotation: shapes between `;`, empty for none |
| train/, dev/, test/ | JPEG images |

The splits are the challenge's, dev as val; test.csv came out after it, with the images. Patients are
not named: every image is one. `truth_mask` holds the bytes of a PNG file of 0 and 255 with all shapes
of the image, none when it shows no foreign object.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import cv2
import numpy as np
from etils import epath

from medst_jax.data_pipelines import cells, image_files
from medst_jax.data_pipelines.cells import CellError
from medst_jax.data_pipelines.listing.about import About
from medst_jax.data_pipelines.listing.csv_table import (
    CsvTable,
    TableError,
    TableRow,
    find_table,
)
from medst_jax.data_pipelines.listing.item import Item, Listing
from medst_jax.data_pipelines.listing.source import ListedSource
from medst_jax.data_pipelines.object_cxr.shapes import draw, parse_shapes
from medst_jax.data_pipelines.raw import Reject

FOREIGN_OBJECT = "Foreign Object"
_SPLITS = {"train": "train", "dev": "val", "test": "test"}


@dataclass(frozen=True)
class ObjectCxr(ListedSource):
    """The images of the challenge."""

    name: str = "object_cxr"

    truth_features: ClassVar[Mapping[str, Any]] = {"truth_mask": (np.uint8, (None,))}

    about = About(
        licence="terms of the object-CXR challenge (JF Healthcare)",
        description="Object-CXR: frontal radiographs of about 300 township hospitals in China, foreign "
        "objects within the lung field marked by radiologists (JF Healthcare, MIDL 2020)",
    )

    def read(self) -> Listing:
        items: list[Item] = []
        rejects: list[Reject] = []
        for folder, split in _SPLITS.items():
            path = find_table(self.source_dir, f"{folder}.csv")
            if path is None:
                continue
            parsed, refused = _read(CsvTable(path), folder, split)
            items += parsed
            rejects += [Reject(r.row, f"{path.name}: {r.reason}") for r in refused]
        if not items:
            raise TableError(
                f"{epath.Path(self.source_dir)} has no usable train.csv, dev.csv or test.csv"
            )
        return Listing(items, rejects, (FOREIGN_OBJECT,))

    def truth(self, items: Sequence[Item]) -> dict[str, Any]:
        marked = [item for item in items if item.masks]
        if not marked:
            return {"truth_mask": np.zeros(0, np.uint8)}
        item = marked[0]  # a study has one image
        width, height = image_files.read_size(image_files.read_bytes(self.source_dir, item.path))
        mask = draw(item.masks, width, height)
        return {"truth_mask": cv2.imencode(".png", mask.astype(np.uint8) * 255)[1].ravel()}


def _read(table: CsvTable, folder: str, split: str) -> tuple[list[Item], list[Reject]]:
    column = "image_name" if "image_name" in table.names else "image_path"

    def parse(row: TableRow) -> Item:
        name = cells.needed(row.get(column), column).replace("\\", "/").rpartition("/")[2]
        stem, dot, suffix = name.rpartition(".")
        if not dot or suffix.lower() not in ("jpg", "jpeg", "png"):
            raise CellError(f"{column} is not the name of an image")
        shapes = parse_shapes(row.get("annotation"))
        identity = cells.file_stem(stem, column)
        return Item(
            row=row.line,
            patient_id=identity,
            study_id=identity,
            image_id=identity,
            path=f"{folder}/{name}",
            labels={FOREIGN_OBJECT: int(bool(shapes))},
            split=split,
            masks=shapes,
        )

    return table.need(column, "annotation").parse(parse, unique=column)
