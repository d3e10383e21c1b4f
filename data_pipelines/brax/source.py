# SPDX-License-Identifier: Apache-2.0
"""BRAX 1.x as a source.

The folder holds `master_spreadsheet_update.csv` (or `master_spreadsheet.csv`) with DicomPath, PngPath, PatientID,
AccessionNumber (the study), StudyDate, ViewPosition and the 14 labels, and the files that one of the two columns
of paths names: `images/.../*.png`, else `Anonymized_DICOMs/.../*.dcm`, whose names lack `.dcm` in 1.0.0. Reports are
not published. There is no official split: it is by hash of the patient.
"""

from __future__ import annotations

import dataclasses
import posixpath
import re
from dataclasses import dataclass

from etils import epath

from medst_jax.data_pipelines import cells
from medst_jax.data_pipelines.cells import CellError
from medst_jax.data_pipelines.listing import chexpert_labels
from medst_jax.data_pipelines.listing.about import About
from medst_jax.data_pipelines.listing.chexpert_labels import CHEXPERT
from medst_jax.data_pipelines.listing.csv_table import CsvTable, TableRow, need_table
from medst_jax.data_pipelines.listing.item import Item, Listing
from medst_jax.data_pipelines.listing.locate import FileLocator
from medst_jax.data_pipelines.listing.source import ListedSource

_TABLES = ("master_spreadsheet_update.csv", "master_spreadsheet.csv")
_PATH = re.compile(
    r"((?:images|Anonymized_DICOMs)/(?:\w[\w.-]*/)*\w[\w.-]*?)(\.png|\.dcm)?", re.ASCII
)


@dataclass(frozen=True)
class Brax(ListedSource):
    """All images of the table, as PNG where they are there."""

    name: str = "brax"

    # Whether PNG files have 8 or 16 bits is not published.
    about = About(
        intensity="mimic_jpg",
        licence="PhysioNet Credentialed Health Data License 1.5.0",
        description="BRAX: radiographs of Hospital Israelita Albert Einstein with labels mined from Portuguese "
        "reports (Reis et al., Scientific Data 2022)",
    )

    def read(self) -> Listing:
        table = CsvTable(need_table(self.source_dir, *_TABLES)).need("PatientID", "AccessionNumber")
        column = "PngPath" if (epath.Path(self.source_dir) / "images").is_dir() else "DicomPath"
        chexpert_labels.need_columns(table.need(column))
        files = FileLocator(self.source_dir, ("",), (".png", ".dcm", ""))
        rows, rejects = table.parse(lambda row: _parse(row, column), unique=column)
        items = [dataclasses.replace(item, path=files.find(item.path)) for item in rows]
        return Listing(items, rejects, CHEXPERT)


def _parse(row: TableRow, column: str) -> Item:
    match = _PATH.fullmatch(row.get(column))
    if match is None:
        raise CellError(f"{column} is not a file below images/ or Anonymized_DICOMs/")
    day = cells.day(row.get("StudyDate"), "StudyDate")
    return Item(
        row=row.line,
        patient_id=cells.needed(row.get("PatientID"), "PatientID"),
        study_id=cells.needed(row.get("AccessionNumber"), "AccessionNumber"),
        image_id=posixpath.basename(match[1]),
        path=match[1],
        view=cells.view(row.get("ViewPosition"), "unknown"),
        order=day,
        day=day,
        labels=chexpert_labels.codes(row),
        age=cells.age(row.get("PatientAge")),
        sex=cells.sex(row.get("PatientSex")),
    )
