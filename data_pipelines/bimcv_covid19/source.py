# SPDX-License-Identifier: Apache-2.0
"""BIMCV-COVID19+ (iterations 1 to 3) and its negative set as sources.

The folder, or one folder below it, holds what the archives unpack to:

| file | content |
|---|---|
| derivatives/labels/labels_covid19_posi.tsv, labels_SARS-cov-2_nega.tsv | PatientID (sub-S...), ReportID (ses-E...), Labels; Report (Spanish) in some iterations |
| sub-S.../ses-E.../mod-rx/*_vp-VIEW_*.png | radiographs, 16 bits |
| the same name with .json | DICOM tags: date, age, sex |

CT is left out and counted. Labels are positive or not mentioned. There is no official split: it is by
hash of the patient.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from etils import epath

from medst_jax.data.records import schema
from medst_jax.data_pipelines import cells, image_files
from medst_jax.data_pipelines.cells import CellError
from medst_jax.data_pipelines.listing.about import About
from medst_jax.data_pipelines.listing.csv_table import CsvTable, TableRow, need_table
from medst_jax.data_pipelines.listing.item import Item, Listing
from medst_jax.data_pipelines.listing.json_file import cell_of
from medst_jax.data_pipelines.listing.locate import folders_with
from medst_jax.data_pipelines.listing.source import ListedSource
from medst_jax.data_pipelines.padchest.source import parse_labels

_FOLDER = "derivatives"
_IMAGES = "mod-rx"
_PATIENT, _SESSION = (re.compile(rf"{name}-\w+", re.ASCII) for name in ("sub", "ses"))
_NAME = re.compile(r"\w[\w.-]*\.png", re.ASCII)
_VIEW = re.compile(r"_vp-([A-Za-z-]+)")
_DATE, _AGE, _SEX = "00080020", "00101010", "00100040"


@dataclass(frozen=True, slots=True)
class _Study:
    """A row of the table; labels None where it has none."""

    row: int
    patient: str
    session: str
    labels: frozenset[str] | None
    report: str


@dataclass(frozen=True)
class BimcvCovid19(ListedSource):
    """The radiographs of one of the two sets. table: its labels."""

    name: str = "bimcv_covid19"
    table: str = "labels_covid19_posi.tsv"

    about = About(
        licence="BIMCV-COVID19 Dataset Research Use Agreement",
        intensity="mimic_jpg",
        namespace="bimcv_covid19",
        description="BIMCV-COVID19: radiographs of the Valencian Region with labels of their Spanish reports "
        "(de la Iglesia Vaya et al., arXiv:2006.01174)",
    )

    def read(self) -> Listing:
        root = epath.Path(self.source_dir)
        folder = next(iter(folders_with(root, (_FOLDER,), 1)), "")
        table = CsvTable(need_table(root / folder / _FOLDER / "labels", self.table))
        rows, rejects = table.need("PatientID", "ReportID", "Labels").parse(_parse)
        vocabulary = tuple(sorted(set().union(*(row.labels or () for row in rows))))
        items: list[Item] = []
        without = 0
        for row in rows:
            place = f"{folder}/{row.patient}/{row.session}/{_IMAGES}".lstrip("/")
            names = _pictures(os.path.join(os.fspath(root), place))
            without += not names
            codes = dict.fromkeys(vocabulary, schema.BLANK)
            positive = dict.fromkeys(row.labels or (), schema.POSITIVE)
            items += [
                Item(
                    row=row.row,
                    patient_id=row.patient,
                    study_id=row.session,
                    image_id=name,
                    path=f"{place}/{name}",
                    view=_view(name),
                    report=row.report,
                    labels={**codes, **positive} if row.labels else {},
                    language="es",
                )
                for name in names
            ]
        card = {"left_out": {"studies without a radiograph": without}}
        return Listing(items, rejects, vocabulary, card)

    def complete(self, item: Item) -> Item:
        tags = _tags(self.source_dir, item.path.removesuffix(".png") + ".json")
        day = _day(tags.get(_DATE, ""))
        return dataclasses.replace(
            item,
            order=day,
            day=day,
            age=cells.age(tags.get(_AGE, "")),
            sex=cells.sex(tags.get(_SEX, "")),
        )


def _parse(row: TableRow) -> _Study:
    patient, session = row.get("PatientID"), row.get("ReportID")
    if not _PATIENT.fullmatch(patient):
        raise CellError("PatientID is not sub-NAME")
    if not _SESSION.fullmatch(session):
        raise CellError("ReportID is not ses-NAME")
    return _Study(
        row.line, patient, session, parse_labels(row.get("Labels")), cells.known(row.get("Report"))
    )


def _pictures(folder: str) -> list[str]:
    if not os.path.isdir(folder):
        return []
    return sorted(name for name in os.listdir(folder) if _NAME.fullmatch(name))


def _view(name: str) -> str:
    match = _VIEW.search(name)
    return cells.view(match[1] if match else "", "unknown")


def _tags(source_dir: str, path: str) -> dict[str, str]:
    """First value of each DICOM tag of a JSON file; empty where there is none that can be read."""
    try:
        content = json.loads(image_files.read_bytes(source_dir, path))
        return dict(_values(content)) if isinstance(content, dict) else {}
    except (image_files.UnreadableImage, ValueError, RecursionError):
        return {}


def _values(content: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for tag, entry in content.items():
        values = entry.get("Value") if isinstance(entry, dict) else None
        if isinstance(values, list) and values:
            yield tag, cell_of(values[0])


def _day(cell: str) -> float:
    try:
        return cells.day(cell, "StudyDate")
    except CellError:
        return float("nan")
