# SPDX-License-Identifier: Apache-2.0
"""A `Source` on top of a listing: units of patients, hashes, reports, studies."""

from __future__ import annotations

import abc
import dataclasses
import hashlib
import math
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from medst_jax.data_pipelines import image_files
from medst_jax.data_pipelines.cells import CellError
from medst_jax.data_pipelines.listing import grouping
from medst_jax.data_pipelines.listing.about import About
from medst_jax.data_pipelines.listing.boxes import fit_boxes
from medst_jax.data_pipelines.listing.csv_table import TableError
from medst_jax.data_pipelines.listing.grouping import Patient
from medst_jax.data_pipelines.listing.item import Item, Listing
from medst_jax.data_pipelines.listing.sentences import (
    SentenceLabeler,
    labels_of_sentences,
    sentences_of,
)
from medst_jax.data_pipelines.listing.split_lists import by_lists
from medst_jax.data_pipelines.listing.summary import rejected_lines, summary_lines
from medst_jax.data_pipelines.raw import RawImage, RawSentence, RawStudy, Reject
from medst_jax.text.labeler import label_sentence
from medst_jax.text.mentions import FINDINGS
from medst_jax.text.sections import split_sections

_STUDIES_PER_UNIT = 1000
STORED_SIZE = 512
_NO_FILE = (-1, -1)
# [n, 6]: image of the study, column of the vocabulary, x0, y0, x1, y1 in source pixels.
BOXES: Mapping[str, tuple[Any, tuple[int | None, ...]]] = {"truth_boxes": (np.float32, (None, 6))}

_MAX_REPORT_BYTES = 1 << 20  # the longest real reports have some ten thousand


@dataclass(frozen=True)
class ListedSource(abc.ABC):
    """A data set in `source_dir` whose tables `read` turns into a listing.

    With `only_existing`, rows whose image is not in the folder are left out and counted: part of a
    download is a data set too. `split_lists` is a folder of a benchmark's lists, which then say what is
    in which split; see `split_lists.py`.

    With `sentence_labels`, a study has the labels of its report's sentences in place of the table's.

    The tables are read when they are first needed, in every worker process for itself. A
    subclass gives `read` and `about`, and `complete` where only an image's own files tell its
    view, date or mask.
    """

    source_dir: str
    name: str = ""
    only_existing: bool = field(default=False, kw_only=True)
    split_lists: str = field(default="", kw_only=True)
    sentence_labels: bool = field(default=False, kw_only=True)

    about: ClassVar[About]
    # (width, height) of the images that a table of boxes is about; None where that is the file.
    box_frame: ClassVar[tuple[int, int] | None] = None
    truth_features: ClassVar[Mapping[str, Any]] = {}

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the card says beside `about` and the listing's card."""
        return {}

    @abc.abstractmethod
    def read(self) -> Listing:
        """Reads the tables; raises TableError when they cannot be used."""

    def notes(self) -> list[str]:
        """What the owner should know of how the folder was read, before the build, in lines."""
        return [self._left_out] if self._left_out else []

    def summary(self) -> list[str]:
        """What a build would hold, in lines."""
        lines = [*self.notes(), *summary_lines(self._listing)]
        named = [item for item in self._listing.items if item.path]
        missing = [item.row for item in named if not self._exists(item.path)]
        if missing:
            lines.append(
                f"files: {len(missing):,} of {len(named):,} images are not in the folder (line "
                f"{missing[0]}); --only_existing leaves them out"
            )
        return lines

    @property
    def sentence_labeler(self) -> SentenceLabeler:
        """What a sentence says of the vocabulary's classes."""
        return label_sentence

    @property
    def sentence_classes(self) -> Collection[str]:
        """The classes that `sentence_labeler` reads."""
        return FINDINGS

    def complete(self, item: Item) -> Item:
        """The item with what its own files tell; called when its unit is built."""
        return item

    def truth(self, items: Sequence[Item]) -> dict[str, Any]:
        """The `truth_*` features of a study, from the items that have an image, in order."""
        if "truth_boxes" not in self.truth_features:
            return {}
        rows = [
            (place, self.labels.index(box.finding), box.x0, box.y0, box.x1, box.y1)
            for place, item in enumerate(items)
            for box in item.boxes
        ]
        return {"truth_boxes": np.array(rows, np.float32).reshape(-1, 6)}

    @property
    def labels(self) -> tuple[str, ...]:
        return self._listing.labels

    @cached_property
    def card(self) -> Mapping[str, Any]:
        return {
            "stored_size": STORED_SIZE,
            # Under other splits the images and patients are the same.
            **({"namespace": type(self).name} if self.split_lists else {}),
            **self.about.card(),
            **self.facts,
            **self._listing.card,
            **({"labels_of": "sentences of the report"} if self.sentence_labels else {}),
        }

    def units(self) -> Sequence[str]:
        return [f"{k:05d}" for k in range(len(self._units))]

    def unit_hash(self, unit: str) -> str:
        """Over the unit's rows, its rejects, and the size and time of its files."""
        state = hashlib.sha256()
        for patient in self._units[int(unit)]:
            state.update(repr((patient.patient_id, patient.split)).encode())
            for item in patient.items:
                files = [self._stamp(path) for path in (item.path, item.report_path) if path]
                state.update(repr((item, files)).encode())
        state.update(repr(self._rejects_of(unit)).encode())
        return state.hexdigest()

    def studies_in(self, unit: str) -> int:
        """Studies of the unit, before any is rejected."""
        return sum(len(grouping.studies_in_order(one.items)) for one in self._units[int(unit)])

    def studies(self, unit: str) -> Iterator[RawStudy | Reject]:
        yield from self._rejects_of(unit)
        for patient in self._units[int(unit)]:
            completed = []
            for item in patient.items:
                try:
                    fitted, outside = fit_boxes(
                        self.complete(item), self.source_dir, self.box_frame
                    )
                    completed.append(fitted)
                    yield from outside
                except image_files.UnreadableImage as error:
                    yield Reject(item.row, str(error))
            studies = grouping.studies_in_order(completed)
            first_day = grouping.first_known(item.day for item in studies[0]) if studies else 0
            for place, items in enumerate(studies):
                report, reject = self._report(items)
                if reject is not None:
                    yield reject
                yield self._study(patient, place, items, report, first_day)

    @cached_property
    def _whole_listing(self) -> Listing:
        listing = self.read()
        if self.split_lists:
            listing = by_lists(listing, self.split_lists)
        if not listing.items:
            reasons = "; ".join(rejected_lines(listing.rejects)) or "it is empty"
            raise TableError(f"{self.source_dir} has no usable row for {self.name}: {reasons}")
        return dataclasses.replace(
            listing, rejects=sorted(listing.rejects, key=lambda reject: reject.row)
        )

    @cached_property
    def _listing(self) -> Listing:
        listing = self._whole_listing
        if not self.only_existing:
            return listing
        items = [item for item in listing.items if not item.path or self._exists(item.path)]
        if not items:
            raise TableError(
                f"none of the {len(listing.items)} images that the tables of {self.name} name is in "
                f"{self.source_dir}"
            )
        left_out = len(listing.items) - len(items)
        return dataclasses.replace(
            listing, items=items, card={**listing.card, "images_not_in_the_folder": left_out}
        )

    @property
    def _left_out(self) -> str:
        if not self.only_existing:
            return ""
        there, named = len(self._listing.items), len(self._whole_listing.items)
        return f"only existing: {there:,} of {named:,} rows have their image, {named - there:,} are left out"

    def _exists(self, path: str) -> bool:
        return self._stamp(path) != _NO_FILE

    @cached_property
    def _units(self) -> list[list[Patient]]:
        units: list[list[Patient]] = [[]]
        size = 0
        for patient in grouping.group_patients(self._listing.items):
            if size >= _STUDIES_PER_UNIT:
                units.append([])
                size = 0
            units[-1].append(patient)
            size += len({item.study_id for item in patient.items})
        return units

    def _rejects_of(self, unit: str) -> Sequence[Reject]:
        """Rows that belong to no patient are reported with the first unit."""
        return self._listing.rejects if int(unit) == 0 else []

    def _stamp(self, path: str) -> tuple[int, int]:
        try:
            status = os.stat(image_files.resolve(self.source_dir, path))
        except (OSError, image_files.UnreadableImage):
            return _NO_FILE
        return (status.st_size, status.st_mtime_ns)

    def _report(self, items: Sequence[Item]) -> tuple[tuple[tuple[str, str], ...], Reject | None]:
        """The sections of a study, each once, and a reject when its report cannot be read."""
        sections: dict[tuple[str, str], None] = {}
        reject = None
        reports = dict.fromkeys(item.report for item in items if item.report)
        for path, row in {item.report_path: item.row for item in items if item.report_path}.items():
            try:
                data = image_files.read_bytes(self.source_dir, path)
                reports[decode_report(data)] = None
            except CellError as error:
                reject = Reject(row, str(error))
            except image_files.UnreadableImage as error:
                reject = Reject(row, f"report: {error}")
        for item in items:
            sections.update(dict.fromkeys(item.sections))
        for report in reports:
            sections.update(dict.fromkeys(split_sections(report)))
        return tuple(sections), reject

    def _study(
        self,
        patient: Patient,
        place: int,
        items: Sequence[Item],
        sections: tuple[tuple[str, str], ...],
        first_day: float,
    ) -> RawStudy:
        language = items[0].language
        sentences = tuple(
            RawSentence(k, *span, labels)
            for k, (title, text) in enumerate(sections)
            for span, labels in sentences_of(
                title,
                text,
                language,
                self.labels,
                self.sentence_labeler,
                self.sentence_classes,
            )
        )
        shown = [item for item in items if item.path]
        graded = max(items, key=lambda item: (item.severity >= 0) + _trust(item.severity_source))
        return RawStudy(
            patient_id=patient.patient_id,
            study_id=items[0].study_id,
            study_index=place,
            study_days=grouping.first_known(item.day for item in items) - first_day,
            images=tuple(
                RawImage(item.image_id, item.view, None, item.path, item.spacing, item.row)
                for item in shown
            ),
            sections=sections,
            sentences=sentences,
            labels=labels_of_sentences([s.labels for s in sentences], self.labels)
            if self.sentence_labels
            else next((item.labels for item in items if item.labels), {}),
            split=patient.split,
            severity=graded.severity,
            severity_source=graded.severity_source,
            age=next((item.age for item in items if not math.isnan(item.age)), math.nan),
            sex=next((item.sex for item in items if item.sex), ""),
            language=language,
            source=self.name,
            truth=self.truth(shown),
            row=items[0].row,
        )

    def __getstate__(self) -> dict[str, Any]:
        # Only the fields: a worker reads the tables itself rather than receive a pickled copy.
        return {f.name: self.__dict__[f.name] for f in dataclasses.fields(self)}


def _trust(severity_source: str) -> int:
    """How far a grade is trusted: a consensus before an expert before what was mined."""
    order = ("mined", "expert", "consensus")
    return order.index(severity_source) + 1 if severity_source in order else 0


def decode_report(data: bytes) -> str:
    """The text of a report file.

    Raises:
      CellError: not UTF-8 text, or far longer than a report.
    """
    if len(data) > _MAX_REPORT_BYTES:
        raise CellError("report is longer than a megabyte")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CellError("report is not UTF-8") from error
    if "\0" in text:
        raise CellError("report is a binary file")
    return text
