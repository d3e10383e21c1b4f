# SPDX-License-Identifier: Apache-2.0
"""CheXpert Plus (release 240401): CheXpert's images with their reports.

The folder is the download as people have it:

| file | where |
|---|---|
| df_chexpert_plus_240401.csv | in the folder: one row per image, the report on each |
| {impression,findings,report}_fixed.json | in it, `chexbert_labels/` or `labels/`; see `labels` |
| `train/`, `valid/` with PNG, JPEG or DICOM files | at most four folders deep: `PNG/`, `PNG/PNG/`, `png_chexpert_plus_chunk_0/PNG/`, `DICOM/Uncompressed/`, ... |

`path_to_image` says `.jpg` where the files are `.png`; its folder names patient, study and split.
The images of a study carry copies of one report that were anonymised apart from each other: the
copy of the smallest view number is the study's, and so are the labels mined from it. Studies are
ordered by `patient_report_date_order`; dates are not published. Patients, studies and images have
CheXpert's ids.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from medst_jax.data_pipelines import cells
from medst_jax.data_pipelines.cells import CellError
from medst_jax.data_pipelines.chexpert.source import NAMESPACE
from medst_jax.data_pipelines.chexpert_plus import labels
from medst_jax.data_pipelines.listing.about import About
from medst_jax.data_pipelines.listing.chexpert_labels import CHEXPERT
from medst_jax.data_pipelines.listing.csv_table import CsvTable, TableRow, need_table
from medst_jax.data_pipelines.listing.item import Item, Listing
from medst_jax.data_pipelines.listing.locate import FileLocator, folders_with
from medst_jax.data_pipelines.listing.source import ListedSource

_TABLE = "df_chexpert_plus_240401.csv"
_PATH = re.compile(
    r"((train|valid)/(patient\d+)/study(\d+)/view(\d+)_(?:frontal|lateral))\.(?:jpg|png)", re.ASCII
)
_SPLITS = {"train": "train", "valid": "val"}
_DEPTH = 4
# Column: name of the section. The narrative is the examination's title. Accession numbers and what
# follows the impression (to whom it was told) are not kept.
_SECTIONS = {
    "section_narrative": "EXAMINATION",
    "section_clinical_history": "CLINICAL HISTORY",
    "section_history": "HISTORY",
    "section_comparison": "COMPARISON",
    "section_technique": "TECHNIQUE",
    "section_procedure_comments": "TECHNIQUE",
    "section_findings": "FINDINGS",
    "section_impression": "IMPRESSION",
    "section_summary": "SUMMARY",
}
_SEEN = ("FINDINGS", "IMPRESSION")


@dataclass(frozen=True, slots=True)
class _Row:
    """An image's row. item: without its report; view: its number in the study."""

    item: Item
    stem: str
    view: int
    sections: tuple[tuple[str, str], ...]
    report: str


@dataclass(frozen=True)
class CheXpertPlus(ListedSource):
    """All images of the table."""

    name: str = "chexpert_plus"

    about = About(
        licence="Stanford Research Data Use Agreement (non-commercial)",
        namespace=NAMESPACE,
        description="CheXpert Plus: radiographs and reports of Stanford Hospital "
        "(Chambon et al., arXiv:2405.19538)",
    )

    @property
    def facts(self) -> Mapping[str, Any]:
        dicom = all(item.path.endswith(".dcm") for item in self._listing.items)
        return {"intensity": "mimic_jpg" if dicom else "none"}

    def read(self) -> Listing:
        table = CsvTable(need_table(self.source_dir, _TABLE)).need(
            "path_to_image", "patient_report_date_order", "report", *_SECTIONS
        )
        rows, rejects = table.parse(_parse, unique="path_to_image")
        reported = _one_report_each(rows)
        label_of, refused, tables = labels.read_labels(
            self.source_dir,
            {row.item.image_id: _with_text(row) for row in reported.values()},
        )
        folders = folders_with(self.source_dir, tuple(_SPLITS), _DEPTH) or ["PNG"]
        images = FileLocator(self.source_dir, folders, (".png", ".jpg", ".dcm"))
        items = []
        for row in rows:
            own = reported[row.item.study_id]
            items.append(
                dataclasses.replace(
                    row.item,
                    path=images.find(row.stem),
                    sections=own.sections,
                    report=own.report,
                    labels=label_of.get(own.item.image_id, {}),
                )
            )
        card = {
            "label_tables": list(tables),
            "studies_without_labels": sum(
                row.item.image_id not in label_of for row in reported.values()
            ),
            "reports_without_sections": sum(bool(row.report) for row in reported.values()),
        }
        return Listing(items, [*rejects, *refused], CHEXPERT, card)


def _one_report_each(rows: Iterable[_Row]) -> dict[str, _Row]:
    """The row of the smallest view number of each study."""
    first: dict[str, _Row] = {}
    for row in rows:
        kept = first.setdefault(row.item.study_id, row)
        if row.view < kept.view:
            first[row.item.study_id] = row
    return first


def _with_text(row: _Row) -> set[str]:
    """Sections of a row that have text, with "" when any text is there."""
    names = {name for name, _ in row.sections}
    return {*names, ""} if names or row.report else names


def _parse(row: TableRow) -> _Row:
    path = row.get("path_to_image")
    match = _PATH.fullmatch(path)
    if match is None:
        raise CellError("path_to_image is not train or valid/patientN/studyN/viewN_SIDE.jpg")
    stem, folder, patient, study, view = match.groups()
    if row.get("deid_patient_id") not in ("", patient):
        raise CellError("deid_patient_id is not the patient of path_to_image")
    place = cells.number(
        cells.needed(row.get("patient_report_date_order"), "patient_report_date_order"),
        "patient_report_date_order",
    )
    sections = tuple((name, row.get(c)) for c, name in _SECTIONS.items() if row.get(c))
    described = any(name in _SEEN for name, _ in sections)
    item = Item(
        row=row.line,
        patient_id=patient,
        study_id=f"{patient}/study{study}",
        image_id=f"{stem}.jpg",
        view=cells.view(row.get("ap_pa"), row.get("frontal_lateral") or stem.rsplit("_", 1)[-1]),
        # Places of two studies may be equal, their numbers not.
        order=place + int(study) / 1e6,
        split=_SPLITS[folder],
        age=cells.age(row.get("age")),
        sex=cells.sex(row.get("sex")),
    )
    # A report whose table has neither findings nor impression is split by its own headers.
    report = "" if described else row.get("report")
    return _Row(item, stem, int(view), () if report else sections, report)
