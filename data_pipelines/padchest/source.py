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
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from etils import epath

from medst_jax.data.records import schema
from medst_jax.data_pipelines import cells
from medst_jax.data_pipelines.cells import CellError
from medst_jax.data_pipelines.listing.about import About
from medst_jax.data_pipelines.listing.csv_table import CsvTable, TableRow, need_table
from medst_jax.data_pipelines.listing.item import Item, Listing
from medst_jax.data_pipelines.listing.source import ListedSource

NAMESPACE = "padchest"
TABLE = "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv"
_NEEDED = ("ImageID", "ImageDir", "StudyDate_DICOM", "StudyID", "PatientID", "Projection", "Labels")
_EXCLUDED = "EXCLUDE"
_VIEWS = {"AP_horizontal": "AP"}
# One missing file says little about the layout; so many do.
_TRIED = 200

_LIST = re.compile(r"\[\s*(?:(?:'[^']*'|\"[^\"]*\")\s*(?:,\s*|(?=\])))*\]")
_NAME = re.compile(r"'([^']*)'|\"([^\"]*)\"")
# Remarks on the study, which are no findings.
REMARKS = ("exclude", "suboptimal study", "unchanged")


@dataclass(frozen=True)
class _Row:
    item: Item
    findings: frozenset[str] | None
    projection: str
    folder: str
    method: str


@dataclass(frozen=True)
class PadChest(ListedSource):
    """All images with a projection.

    method: of `MethodLabel`, "Physician" for the 27% that physicians labelled; "" for all, most
    of which a recurrent network labelled.
    """

    name: str = "padchest"
    method: str = ""

    about = About(
        licence="PadChest Dataset Research Use Agreement",
        intensity="mimic_jpg",
        namespace=NAMESPACE,
        description="PadChest: radiographs and Spanish reports of the San Juan hospital, "
        "Alicante (Bustos et al., arXiv:1901.07441)",
    )

    def read(self) -> Listing:
        table = CsvTable(need_table(self.source_dir, TABLE)).need(*_NEEDED)
        rows, rejects = table.parse(_parse, unique="ImageID")
        if self.method:
            table.need("MethodLabel")
        reasons = [_left_out(row, self.method) for row in rows]
        left_out = Counter(filter(None, reasons))
        included = [row for row, reason in zip(rows, reasons, strict=True) if not reason]
        vocabulary = tuple(sorted(set().union(*(row.findings or () for row in included))))
        unmentioned = dict.fromkeys(vocabulary, schema.BLANK)
        path = self._layout(included)
        items = [
            dataclasses.replace(
                row.item,
                path=path(row),
                # A row with remarks alone says nothing of findings, as one without labels.
                labels={**unmentioned, **dict.fromkeys(row.findings, schema.POSITIVE)}
                if row.findings
                else {},
            )
            for row in included
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
        age=cells.possible_age(year(date) - year(row.get("PatientBirth"))),
        sex=cells.sex(row.get("PatientSex_DICOM")),
        language="es",
    )
    folder = row.get("ImageDir")
    method = row.get("MethodLabel")
    parsed = parse_labels(row.get("Labels"))
    return _Row(item, parsed, projection, folder.removesuffix(".0"), method)


def _left_out(row: _Row, method: str) -> str:
    """Why an image is left out, "" for those that stay."""
    if row.projection == _EXCLUDED:
        return _EXCLUDED
    return f"labelled by {row.method or 'nobody'}" if method and row.method != method else ""


def parse_labels(cell: str) -> frozenset[str] | None:
    """The findings of a cell such as `['pleural effusion', ' cardiomegaly']`.

    Returns:
      Names without blanks around them and without remarks; None when the cell is empty or
      `nan`, which is to say that nobody labelled the image.

    Raises:
      CellError: another notation.
    """
    if cell in ("", "nan"):
        return None
    if not _LIST.fullmatch(cell):
        raise CellError("Labels is not a list of names")
    names = {(a or b).strip() for a, b in _NAME.findall(cell)}
    return frozenset(names - {"", *REMARKS})


def year(cell: str) -> float:
    """Years from a number or a date: 1930.0, 20140915; NaN when unknown."""
    match = re.match(r"\d{4}", cell)
    return float(match[0]) if match else float("nan")
