# SPDX-License-Identifier: Apache-2.0
"""Pulmonary edema grades 0-3 of MIMIC-CXR studies (PhysioNet `mimic-cxr-pulm-edema-severity`).

| table | grade of | how |
|---|---|---|
| consensus_image_edema_severity.csv | an image | consensus of radiologists |
| expert_report_edema_severity.csv | a report | radiologist |
| regex_report_edema_severity.csv | a report | mined by regular expressions |

A study keeps the best of what it has, in this order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from etils import epath

from medst_jax.data_pipelines import cells
from medst_jax.data_pipelines.cells import CellError
from medst_jax.data_pipelines.listing.csv_table import CsvTable, TableRow, find_table
from medst_jax.data_pipelines.mimic_cxr.tables import dicom_id
from medst_jax.data_pipelines.raw import Reject

CONSENSUS, EXPERT, MINED = "consensus", "expert", "mined"
# From the weakest to the best, so that a later one replaces an earlier.
_TABLES = (
    ("regex_report_edema_severity.csv", MINED),
    ("expert_report_edema_severity.csv", EXPERT),
    ("consensus_image_edema_severity.csv", CONSENSUS),
)


@dataclass(frozen=True, slots=True)
class Grade:
    """severity: 0-3. source: consensus, expert or mined."""

    severity: int
    source: str


def read_grades(
    source_dir: epath.PathLike,
) -> tuple[Mapping[tuple[str, str], Grade], list[Reject]]:
    """Grades by (study, image), the image "" for a grade of a report; empty without tables."""
    grades: dict[tuple[str, str], Grade] = {}
    rejects: list[Reject] = []
    for name, source in _TABLES:
        path = find_table(source_dir, name)
        if path is None:
            continue
        pairs, refused = CsvTable(path).need("study_id", "edema_severity").parse(_parse)
        rejects += [Reject(r.row, f"{source} severity table: {r.reason}") for r in refused]
        grades.update((key, Grade(grade, source)) for key, grade in pairs)
    return grades, rejects


def _parse(row: TableRow) -> tuple[tuple[str, str], int]:
    grade = cells.number(cells.needed(row.get("edema_severity"), "edema_severity"), "severity")
    if grade not in (0, 1, 2, 3):
        raise CellError("edema_severity is not 0 to 3")
    study = cells.digits(row.get("study_id").lstrip("s"), "study_id")
    image = dicom_id(row.get("dicom_id")) if row.get("dicom_id") else ""
    return (study, image), int(grade)
