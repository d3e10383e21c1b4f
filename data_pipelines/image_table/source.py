# SPDX-License-Identifier: Apache-2.0
"""The image table as a `Source` of studies."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from etils import epath

from data_pipelines import image_files
from data_pipelines.image_table import columns, grouping, table
from data_pipelines.image_table.grouping import ImageRow, Patient
from data_pipelines.raw import RawImage, RawSentence, RawStudy, Reject
from medst_jax.text import split_sections, split_sentences

_STUDIES_PER_UNIT = 1000
_STORED_SIZE = 512
# Enough for a PNG header and a DICOM preamble.
_HEAD_BYTES = 132


@dataclass(frozen=True)
class _Contents:
    patients: list[Patient]
    rejects: list[Reject]
    labels: tuple[str, ...]
    licences: tuple[str, ...]


@dataclass(frozen=True)
class ImageTable:
    """A folder with `metadata.csv`; see the package's docstring for the columns.

    The table is read when it is first needed, in every worker process for itself.
    """

    name: str
    source_dir: str
    redistributable: bool = False
    truth_features: Mapping[str, Any] = field(default_factory=dict)

    @property
    def labels(self) -> tuple[str, ...]:
        return self._contents.labels

    @cached_property
    def card(self) -> Mapping[str, Any]:
        return {
            "licence": "; ".join(self._contents.licences),
            "redistributable": self.redistributable,
            "intensity": "voi_lut" if self._has_wide_files() else "none",
            "stored_size": _STORED_SIZE,
            "description": f"image table {self.name}",
        }

    def units(self) -> Sequence[str]:
        return [f"{k:05d}" for k in range(len(self._units))]

    def unit_hash(self, unit: str) -> str:
        """Over the unit's rows, its rejects, and the size and time of its files."""
        state = hashlib.sha256()
        for patient in self._units[int(unit)]:
            state.update(repr((patient.patient_id, patient.split)).encode())
            for row in (row for study in patient.studies for row in study):
                state.update(repr((dataclasses.astuple(row), self._stamp(row.path))).encode())
        state.update(repr(self._rejects_of(unit)).encode())
        return state.hexdigest()

    def studies(self, unit: str) -> Iterator[RawStudy | Reject]:
        yield from self._rejects_of(unit)
        for patient in self._units[int(unit)]:
            first_day = grouping.first_known(row.day for row in patient.studies[0])
            for place, rows in enumerate(patient.studies):
                yield self._study(patient, place, rows, first_day)

    @cached_property
    def _contents(self) -> _Contents:
        rows, damaged = table.read_table(self.source_dir)
        images, refused, labels = grouping.check_rows(rows, self._fixed_labels())
        if not images:
            raise table.TableError(
                f"{os.path.join(self.source_dir, table.FILE_NAME)} has no usable row: "
                f"{len(damaged) + len(refused)} rejected"
            )
        rejects = sorted([*damaged, *refused], key=lambda reject: reject.row)
        licences = tuple(sorted({row.get("license") for row in rows} - {""}))
        return _Contents(grouping.group_patients(images), rejects, labels, licences)

    @cached_property
    def _units(self) -> list[list[Patient]]:
        units: list[list[Patient]] = [[]]
        size = 0
        for patient in self._contents.patients:
            if size >= _STUDIES_PER_UNIT:
                units.append([])
                size = 0
            units[-1].append(patient)
            size += len(patient.studies)
        return units

    def _rejects_of(self, unit: str) -> list[Reject]:
        """Rows that belong to no patient are reported with the first unit."""
        return self._contents.rejects if int(unit) == 0 else []

    def _fixed_labels(self) -> tuple[str, ...] | None:
        path = epath.Path(self.source_dir) / "labels.txt"
        if not path.exists():
            return None
        lines = (line.strip() for line in path.read_text().splitlines())
        return tuple(dict.fromkeys(line for line in lines if line and not line.startswith("#")))

    def _stamp(self, path: str) -> tuple[int, int]:
        try:
            status = os.stat(image_files.resolve(self.source_dir, path))
        except (OSError, image_files.UnreadableImage):
            return (-1, -1)
        return (status.st_size, status.st_mtime_ns)

    def _has_wide_files(self) -> bool:
        rows = (r for p in self._contents.patients for study in p.studies for r in study)
        candidates = (r.path for r in rows if not r.path.lower().endswith((".jpg", ".jpeg")))
        return any(image_files.bit_depth(self._head(path)) > 8 for path in candidates if path)

    def _head(self, path: str) -> bytes:
        try:
            with open(image_files.resolve(self.source_dir, path), "rb") as file:
                return file.read(_HEAD_BYTES)
        except (OSError, image_files.UnreadableImage):
            return b""

    def _study(
        self, patient: Patient, place: int, rows: Sequence[ImageRow], first_day: float
    ) -> RawStudy:
        reports = list(dict.fromkeys(row.report for row in rows if row.report))
        sections = tuple(section for report in reports for section in split_sections(report))
        sentences = tuple(
            RawSentence(k, start, end)
            for k, (_, text) in enumerate(sections)
            for start, end in split_sentences(text)
        )
        found = next((row.labels for row in rows if row.labels), {})
        day = grouping.first_known(row.day for row in rows)
        return RawStudy(
            patient_id=patient.patient_id,
            study_id=rows[0].study_id,
            study_index=place,
            study_days=day - first_day,
            images=tuple(
                RawImage(row.image_id, row.view, None, row.path, row=row.line)
                for row in rows
                if row.path
            ),
            sections=sections,
            sentences=sentences,
            labels=columns.complete_labels(found, self.labels),
            split=patient.split,
            age=next((row.age for row in rows if not math.isnan(row.age)), math.nan),
            sex=next((row.sex for row in rows if row.sex), ""),
            language=rows[0].language,
            source=self.name,
            row=rows[0].line,
        )

    def __getstate__(self) -> dict[str, Any]:
        # Only the fields: a worker reads the table itself rather than receive a pickled copy.
        return {f.name: self.__dict__[f.name] for f in dataclasses.fields(self)}
