# SPDX-License-Identifier: Apache-2.0
"""TBX11K in its simplified release, as on Kaggle.

| file | content |
|---|---|
| data.csv | fname, image_height, image_width, source, bbox, target, tb_type, image_type: a row per box |
| images/FNAME | 512 x 512 PNG |

`source` is the official split, train or val; the labels of the official test set are not published, and
its images not in this release. `bbox` is `none` or `{'xmin': .., 'ymin': .., 'width': .., 'height': ..}`.
Patients are not named: every image is one.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass

from medst_jax.data_pipelines import cells
from medst_jax.data_pipelines.cells import CellError
from medst_jax.data_pipelines.listing.about import About
from medst_jax.data_pipelines.listing.csv_table import CsvTable, TableRow, need_table
from medst_jax.data_pipelines.listing.item import Box, Item, Listing
from medst_jax.data_pipelines.listing.source import BOXES, ListedSource
from medst_jax.data_pipelines.listing.splits import split_name

TUBERCULOSIS = "Tuberculosis"
_KINDS = {"healthy": "Healthy", "sick_but_no_tb": "Sick without Tuberculosis", "tb": TUBERCULOSIS}
_TYPES = {"active_tb": "Active Tuberculosis", "latent_tb": "Latent Tuberculosis"}
LABELS = (*_KINDS.values(), *_TYPES.values())
_SIDES = ("xmin", "ymin", "width", "height")
_SIDE = re.compile(r"['\"](\w+)['\"]\s*:\s*(-?\d+(?:\.\d+)?)")


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    file: str
    split: str
    kind: str
    tuberculosis: str
    box: Box | None


@dataclass(frozen=True)
class Tbx11k(ListedSource):
    """The labelled images."""

    name: str = "tbx11k"

    truth_features = BOXES
    box_frame = (512, 512)

    about = About(
        licence="TBX11K terms of use: research, not for commerce",
        description="TBX11K: radiographs with tuberculosis, other disease or none, boxes of radiologists "
        "(Liu et al., CVPR 2020)",
    )

    def read(self) -> Listing:
        table = CsvTable(need_table(self.source_dir, "data.csv"))
        table.need("fname", "source", "bbox", "target", "tb_type", "image_type")
        rows, rejects = table.parse(_parse)
        by_file: dict[str, list[_Row]] = defaultdict(list)
        for row in rows:
            by_file[row.file].append(row)
        return Listing([_item(file, group) for file, group in by_file.items()], rejects, LABELS)


def _item(file: str, rows: list[_Row]) -> Item:
    present = {row.kind for row in rows} | {row.tuberculosis for row in rows}
    identity = file.rpartition(".")[0]
    return Item(
        row=rows[0].line,
        patient_id=identity,
        study_id=identity,
        image_id=identity,
        path=f"images/{file}",
        labels={label: int(label in present) for label in LABELS},
        split=rows[0].split,
        boxes=tuple(row.box for row in rows if row.box is not None),
    )


def _parse(row: TableRow) -> _Row:
    file = row.get("fname")
    if not file.lower().endswith(".png") or cells.file_stem(file[:-4], "fname") != file[:-4]:
        raise CellError("fname is not the name of a PNG file")
    split = cells.one_of(split_name(row.get("source")), ("train", "val"), "source")
    kind = _KINDS[cells.one_of(row.get("image_type"), tuple(_KINDS), "image_type")]
    target = cells.one_of(row.get("target"), ("tb", "no_tb"), "target")
    tb_type = cells.one_of(row.get("tb_type"), (*_TYPES, "none"), "tb_type")
    box = _box(row.get("bbox"))
    positive = kind == TUBERCULOSIS
    if positive != (target == "tb") or (not positive and (box is not None or tb_type != "none")):
        raise CellError("image_type, target, tb_type and bbox disagree")
    return _Row(row.line, file, split, kind, _TYPES.get(tb_type, ""), box)


def _box(cell: str) -> Box | None:
    if not cells.known(cell):
        return None
    sides = dict(_SIDE.findall(cell))
    if sides.keys() != set(_SIDES):
        raise CellError("bbox is not xmin, ymin, width and height")
    x, y, width, height = (float(sides[side]) for side in _SIDES)
    if width <= 0 or height <= 0:
        raise CellError("box without area")
    return Box(TUBERCULOSIS, x, y, x + width, y + height)
