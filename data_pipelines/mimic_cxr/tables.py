# SPDX-License-Identifier: Apache-2.0
"""The tables of the MIMIC-CXR releases.

| table (`.csv` or `.csv.gz`) | columns used |
|---|---|
| mimic-cxr-2.0.0-metadata | dicom_id, subject_id, study_id, ViewPosition, StudyDate, StudyTime |
| mimic-cxr-2.0.0-split | dicom_id, split: train, validate, test |
| mimic-cxr-2.0.0-chexpert, -negbio | study_id, 14 labels |
| mimic-cxr-2.1.0-test-set-labeled | study_id, 14 labels by radiologists, in place of the mined ones |
| cxr-record-list (DICOM release) | dicom_id, subject_id, study_id |
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from etils import epath

from medst_jax.data_pipelines import cells
from medst_jax.data_pipelines.cells import CellError
from medst_jax.data_pipelines.listing import chexpert_labels
from medst_jax.data_pipelines.listing.csv_table import CsvTable, TableRow, find_table, need_table
from medst_jax.data_pipelines.listing.splits import split_name
from medst_jax.data_pipelines.raw import NAN, Reject

METADATA = ("mimic-cxr-2.0.0-metadata.csv", "mimic-cxr-2.1.0-metadata.csv")
SPLIT = ("mimic-cxr-2.0.0-split.csv", "mimic-cxr-2.1.0-split.csv")
RECORDS = ("cxr-record-list.csv",)
LABEL_TABLES = (
    "mimic-cxr-2.0.0-chexpert.csv",
    "mimic-cxr-2.1.0-chexpert.csv",
    "mimic-cxr-2.0.0-negbio.csv",
    "mimic-cxr-2.1.0-negbio.csv",
)
RADIOLOGISTS = "mimic-cxr-2.1.0-test-set-labeled.csv"
_SPLITS = ("train", "validate", "test")


@dataclass(frozen=True, slots=True)
class Film:
    """A row that names an image. view: as the table names it; day: with its time of day."""

    row: int
    dicom: str
    subject: str
    study: str
    view: str = ""
    day: float = NAN

    @property
    def study_folder(self) -> str:
        """`p10/p10000032/s50414267`: where the releases keep the study."""
        return f"p{self.subject[:2]}/p{self.subject}/s{self.study}"


def read_films(source_dir: epath.PathLike, *names: str) -> tuple[list[Film], list[Reject]]:
    """Images by the metadata, or by the DICOM release's record list."""
    table = CsvTable(need_table(source_dir, *names)).need("dicom_id", "subject_id", "study_id")
    return table.parse(_film, unique="dicom_id")


def _film(row: TableRow) -> Film:
    date = cells.day(row.get("StudyDate"), "StudyDate")
    time = cells.time_of_day(row.get("StudyTime"), "StudyTime")
    return Film(
        row=row.line,
        dicom=dicom_id(row.get("dicom_id")),
        subject=cells.digits(row.get("subject_id"), "subject_id"),
        study=cells.digits(row.get("study_id").lstrip("s"), "study_id"),
        view=row.get("ViewPosition") or row.get("ViewCodeSequence_CodeMeaning"),
        day=date + time,
    )


def dicom_id(cell: str) -> str:
    """The id of an image from an id, or from a path with or without extension."""
    name = re.sub(r"\.(jpg|png|dcm)$", "", cell.rsplit("/", 1)[-1])
    if not re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{8}){4}", name):
        raise CellError("dicom_id is not five groups of eight hexadecimal digits")
    return name


def read_splits(source_dir: epath.PathLike) -> tuple[dict[str, str], list[Reject]]:
    """Split of every image by its id."""
    table = CsvTable(need_table(source_dir, *SPLIT)).need("dicom_id", "split")

    def parse(row: TableRow) -> tuple[str, str]:
        split = split_name(cells.one_of(row.get("split"), _SPLITS, "split"))
        return dicom_id(row.get("dicom_id")), split

    pairs, rejects = table.parse(parse)
    return dict(pairs), _of_table(rejects, "split table")


def read_labels(
    source_dir: epath.PathLike,
) -> tuple[dict[str, Mapping[str, int]], list[Reject], str]:
    """Label codes by study, rejects, and the table's name, empty without a table.

    The CheXpert labeler's table is preferred to NegBio's.
    """
    path = find_table(source_dir, *LABEL_TABLES)
    if path is None:
        return {}, [], ""
    pairs, rejects = chexpert_labels.need_columns(CsvTable(path).need("study_id")).parse(_labels)
    return dict(pairs), _of_table(rejects, "label table"), path.name


def read_radiologists(
    source_dir: epath.PathLike,
) -> tuple[dict[str, Mapping[str, int]], list[Reject]]:
    """Label codes by study that radiologists gave the official test set; empty without the table."""
    path = find_table(source_dir, RADIOLOGISTS)
    if path is None:
        return {}, []
    pairs, rejects = chexpert_labels.need_columns(CsvTable(path).need("study_id")).parse(_labels)
    return dict(pairs), _of_table(rejects, "radiologists' table")


def _labels(row: TableRow) -> tuple[str, Mapping[str, int]]:
    study = cells.digits(row.get("study_id").lstrip("s"), "study_id")
    return study, chexpert_labels.codes(row)


def _of_table(rejects: list[Reject], table: str) -> list[Reject]:
    return [Reject(reject.row, f"{table}: {reject.reason}") for reject in rejects]
