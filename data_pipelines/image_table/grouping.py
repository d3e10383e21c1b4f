# SPDX-License-Identifier: Apache-2.0
"""Rows -> checked rows -> studies of patients in time order."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from data_pipelines.image_table import columns
from data_pipelines.image_table.columns import CellError
from data_pipelines.image_table.table import TableError, TableRow
from data_pipelines.raw import Reject


@dataclass(frozen=True)
class ImageRow:
    """A checked row. labels: codes by name, empty when the cell is."""

    line: int
    patient_id: str
    study_id: str
    image_id: str
    path: str
    order: float
    day: float
    view: str
    report: str
    labels: dict[str, int]
    split: str
    age: float
    sex: str
    language: str


@dataclass(frozen=True)
class Patient:
    """One patient: studies in time order, each the rows of its images."""

    patient_id: str
    split: str
    studies: tuple[tuple[ImageRow, ...], ...]


def check_rows(
    rows: Iterable[TableRow], fixed: Sequence[str] | None
) -> tuple[list[ImageRow], list[Reject], tuple[str, ...]]:
    """Checked rows, rejects and the vocabulary: `fixed`, or every label of the accepted rows."""
    parsed, rejects, seen = [], [], set()
    for row in rows:
        try:
            image = _parse(row)
            if image.image_id in seen:
                raise CellError("image_id occurs twice")
            if fixed is not None:
                columns.complete_labels(image.labels, fixed)
        except CellError as error:
            rejects.append(Reject(row.line, str(error)))
            continue
        seen.add(image.image_id)
        parsed.append(image)
    union = sorted({label for image in parsed for label in image.labels})
    return parsed, rejects, tuple(union if fixed is None else fixed)


def _parse(row: TableRow) -> ImageRow:
    patient, path, report = row.get("patient_id"), row.get("image_path"), row.get("report")
    if not patient:
        raise CellError("patient_id is empty")
    if not path and not report:
        raise CellError("image_path and report are empty")
    image_id = row.get("image_id") or path or f"line {row.line}"
    return ImageRow(
        line=row.line,
        patient_id=patient,
        study_id=row.get("study_id") or image_id,
        image_id=image_id,
        path=path,
        order=columns.number(row.get("study_order"), "study_order"),
        day=columns.number(row.get("day_offset"), "day_offset"),
        view=columns.view(row.get("view"), row.get("view_type")),
        report=report,
        labels=columns.parse_labels(row.get("labels")),
        split=columns.split_name(row.get("split")),
        age=columns.age(row.get("age")),
        sex=columns.sex(row.get("sex")),
        language=row.get("language") or "en",
    )


def group_patients(rows: Iterable[ImageRow]) -> list[Patient]:
    """Patients in order of appearance, studies in time order.

    Raises:
      TableError: patients whose rows lie in two splits; named by line, never by id.
    """
    by_patient: dict[str, list[ImageRow]] = {}
    for row in rows:
        by_patient.setdefault(row.patient_id, []).append(row)
    _check_splits(by_patient.values())
    return [
        Patient(patient_id, _split(images), _studies(images))
        for patient_id, images in by_patient.items()
    ]


def _check_splits(patients: Iterable[Sequence[ImageRow]]) -> None:
    torn = [images for images in patients if len({i.split for i in images if i.split}) > 1]
    if torn:
        first = torn[0]
        other = next(i for i in first if i.split and i.split != first[0].split)
        raise TableError(
            f"{len(torn)} patient(s) lie in more than one split, the first by lines "
            f"{first[0].line} ({first[0].split or 'none'}) and {other.line} ({other.split}): "
            "give every row of a patient the same split, or leave the column empty"
        )


def _split(images: Sequence[ImageRow]) -> str:
    given = next((image.split for image in images if image.split), "")
    return given or columns.hashed_split(images[0].patient_id)


def _studies(images: Sequence[ImageRow]) -> tuple[tuple[ImageRow, ...], ...]:
    given: dict[str, dict[str, int]] = {}
    for image in images:
        if image.labels:
            given.setdefault(image.study_id, image.labels)
    # Labels belong to a study, so rows whose labels differ part; rows without go with the first.
    studies: dict[tuple[str, ...], list[ImageRow]] = {}
    for image in images:
        labels = image.labels or given.get(image.study_id, {})
        codes = (f"{label}={code}" for label, code in sorted(labels.items()))
        studies.setdefault((image.study_id, *codes), []).append(image)
    groups = list(studies.values())
    for column in ("order", "day"):
        places = [first_known(getattr(image, column) for image in group) for group in groups]
        if not any(math.isnan(place) for place in places):
            ordered = sorted(range(len(groups)), key=lambda k, places=places: places[k])  # type: ignore[misc]
            return tuple(tuple(groups[k]) for k in ordered)
    return tuple(tuple(group) for group in groups)


def first_known(values: Iterable[float]) -> float:
    """The first number that is not NaN; NaN when there is none."""
    return next((value for value in values if not math.isnan(value)), math.nan)
