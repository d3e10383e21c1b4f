# SPDX-License-Identifier: Apache-2.0
"""PadChest as a source.

The folder holds `PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv` (or .gz) and the 16-bit PNG
images in the folders 0 to 54 that `ImageDir` names, or all in one. Reports are Spanish, stemmed
and without accents; they are stored as they are, with language es. Labels are positive or not
mentioned. Images that the authors marked EXCLUDE are left out and counted. There is no official
split: it is by hash of the patient.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from etils import epath

from medst_jax.data.records import schema
from medst_jax.data_pipelines import cells
from medst_jax.data_pipelines.listing.about import About
from medst_jax.data_pipelines.listing.csv_table import CsvTable, TableRow, need_table
from medst_jax.data_pipelines.listing.item import Item, Listing
from medst_jax.data_pipelines.listing.source import ListedSource
from medst_jax.data_pipelines.padchest.cells import parse_labels, year

TABLE = "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv"
_NEEDED = ("ImageID", "ImageDir", "StudyDate_DICOM", "StudyID", "PatientID", "Projection", "Labels")
_EXCLUDED = "EXCLUDE"
_VIEWS = {"AP_horizontal": "AP"}
# One missing file says little about the layout; so many do.
_TRIED = 200


@dataclass(frozen=True)
class _Row:
    item: Item
    found: frozenset[str] | None
    projection: str
    folder: str


@dataclass(frozen=True)
class PadChest(ListedSource):
    """All images with a projection."""

    name: str = "padchest"

    about = About(
        licence="PadChest Dataset Research Use Agreement",
        intensity="mimic_jpg",
        description="PadChest: radiographs and Spanish reports of the San Juan hospital, "
        "Alicante (Bustos et al., arXiv:1901.07441)",
    )

    def read(self) -> Listing:
        table = CsvTable(need_table(self.source_dir, TABLE)).need(*_NEEDED)
        rows, rejects = table.parse(_parse, unique="ImageID")
        left_out = Counter(row.projection for row in rows if row.projection == _EXCLUDED)
        kept = [row for row in rows if row.projection != _EXCLUDED]
        vocabulary = tuple(sorted(set().union(*(row.found or () for row in kept))))
        unlabelled = dict.fromkeys(vocabulary, schema.OUTSIDE)
        path = self._layout(kept)
        items = [
            dataclasses.replace(
                row.item,
                path=path(row),
                labels=unlabelled if row.found is None else dict.fromkeys(sorted(row.found), 1),
            )
            for row in kept
        ]
        return Listing(items, rejects, vocabulary, {"left_out": dict(left_out)})

    def _layout(self, rows: list[_Row]) -> Callable[[_Row], str]:
        root = epath.Path(self.source_dir)
        layouts: tuple[Callable[[_Row], str], ...] = (
            lambda row: f"{row.folder}/{row.item.image_id}",
            lambda row: row.item.image_id,
            lambda row: f"images/{row.item.image_id}",
        )
        for layout in layouts:
            if any((root / layout(row)).exists() for row in rows[:_TRIED]):
                return layout
        return layouts[0]


def _parse(row: TableRow) -> _Row:
    projection = row.get("Projection")
    date = row.get("StudyDate_DICOM")
    day = cells.day(date, "StudyDate_DICOM")
    item = Item(
        row=row.line,
        patient_id=cells.needed(row.get("PatientID"), "PatientID"),
        study_id=cells.needed(row.get("StudyID"), "StudyID"),
        image_id=cells.file_stem(row.get("ImageID"), "ImageID"),
        view=cells.view(_VIEWS.get(projection, projection), "unknown"),
        order=day,
        day=day,
        report="" if row.get("Report") == "nan" else row.get("Report"),
        age=year(date) - year(row.get("PatientBirth")),
        sex=cells.sex(row.get("PatientSex_DICOM")),
        language="es",
    )
    folder = row.get("ImageDir")
    return _Row(item, parse_labels(row.get("Labels")), projection, folder.removesuffix(".0"))
