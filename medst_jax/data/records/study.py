# SPDX-License-Identifier: Apache-2.0
"""A study as it is read back: plain values, images still encoded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from medst_jax.data.records import schema
from medst_jax.data.records.parse import Record


@dataclass(frozen=True)
class StoredImage:
    """One encoded image.

    data: 8-bit grey JPEG or 16-bit PNG bytes. height, width: of the source, in pixels.
    spacing: (row, column) in mm of the source, NaN unknown. affine: float32 [2, 3], maps source
    (x, y, 1) to stored (x, y), both counted from the outer corner of the first pixel.
    """

    image_id: str
    data: bytes
    view: str
    height: int
    width: int
    spacing: tuple[float, float]
    affine: np.ndarray


@dataclass(frozen=True)
class Sentence:
    """Characters [start, end) of section number `section`; labels int8 [C]."""

    section: int
    start: int
    end: int
    labels: np.ndarray


class Study:
    """One study record, each of whose values is parsed when it is first asked for."""

    def __init__(self, record: Record, ids: Callable[[], Sequence[str]] | None = None) -> None:
        self._record, self._ids = record, ids

    @cached_property
    def patient(self) -> int:
        """Number of the patient in the data set, as in its index."""
        return self._record.integers("patient")[0]

    @property
    def patient_id(self) -> str:
        """As in the source. No record holds it: it is looked up in the private map beside the data.

        Raises:
          FileNotFoundError: the data were prepared elsewhere, and the map stayed there.
        """
        if self._ids is None:
            raise FileNotFoundError("this study was not opened where its data set was prepared")
        return self._ids()[self.patient]

    @cached_property
    def study_id(self) -> str:
        """As in the source."""
        return self._record.strings("study_id")[0]

    @cached_property
    def study_index(self) -> int:
        """Place in the patient's sequence."""
        return self._record.integers("study_index")[0]

    @cached_property
    def study_days(self) -> float:
        """Days since the patient's first study, NaN unknown."""
        return float(self._record.floats("study_days")[0])

    @cached_property
    def views(self) -> list[str]:
        """View of each image."""
        return self._record.strings("images/view")

    def image_data(self, k: int) -> bytes:
        """Encoded bytes of image `k`."""
        return self._record.data("images/data", k)

    def image(self, k: int) -> StoredImage:
        """Image `k`."""
        record = self._record
        row, column = record.floats("images/spacing", 2)[k]
        return StoredImage(
            image_id=record.strings("images/image_id")[k],
            data=self.image_data(k),
            view=self.views[k],
            height=record.integers("images/height")[k],
            width=record.integers("images/width")[k],
            spacing=(float(row), float(column)),
            affine=record.floats("images/affine", 2, 3)[k],
        )

    @cached_property
    def images(self) -> tuple[StoredImage, ...]:
        """All images."""
        return tuple(map(self.image, range(len(self.views))))

    @cached_property
    def section_names(self) -> tuple[str, ...]:
        """Name of each section."""
        return tuple(self._record.strings("sections/name"))

    @cached_property
    def section_texts(self) -> tuple[str, ...]:
        """Text of each section."""
        return tuple(self._record.strings("sections/text"))

    @cached_property
    def sections(self) -> tuple[tuple[str, str], ...]:
        """(name, text) of each section."""
        return tuple(zip(self.section_names, self.section_texts, strict=True))

    @cached_property
    def spans(self) -> tuple[tuple[int, int, int], ...]:
        """(section, start, end) of each sentence."""
        columns = (self._record.integers(f"sentences/{key}") for key in ("section", "start", "end"))
        return tuple(zip(*columns, strict=True))

    @cached_property
    def sentences(self) -> tuple[Sentence, ...]:
        """All sentences."""
        return tuple(
            Sentence(*span, labels)
            for span, labels in zip(self.spans, self.all_sentence_codes, strict=True)
        )

    @cached_property
    def all_sentence_codes(self) -> np.ndarray:
        """Label codes of each sentence, int8 [K, C]."""
        return self._record.codes("sentences/labels")

    def sentence_text(self, k: int) -> str:
        """Text of sentence `k`."""
        section, start, end = self.spans[k]
        return self.section_texts[section][start:end]

    @cached_property
    def labels(self) -> np.ndarray:
        """Label codes, int8 [C]."""
        return self._record.codes("labels")[0]

    @cached_property
    def severity(self) -> int:
        """Edema severity 0 to 3, -1 unknown."""
        return self._record.integers("severity")[0]

    @cached_property
    def severity_source(self) -> str:
        """Where the severity comes from."""
        return self._record.strings("severity_source")[0]

    @cached_property
    def progression(self) -> np.ndarray:
        """Progression codes since the patient's study before, int8 [C]."""
        return self._record.codes("progression")[0]

    @cached_property
    def age(self) -> float:
        """In years, NaN unknown."""
        return float(self._record.floats("age")[0])

    @cached_property
    def sex(self) -> str:
        """As in the source."""
        return self._record.strings("sex")[0]

    @cached_property
    def language(self) -> str:
        """Of the report."""
        return self._record.strings("language")[0]

    @cached_property
    def source(self) -> str:
        """Where the study comes from."""
        return self._record.strings("source")[0]

    @cached_property
    def truth(self) -> Mapping[str, Any]:
        """The `truth_*` features; empty unless the reader was opened with truth=True."""
        return self._record.truth()

    def frontal(self) -> StoredImage | None:
        """The first PA or AP image, or None."""
        return self._first(schema.FRONTAL_VIEWS)

    def lateral(self) -> StoredImage | None:
        """The first lateral image, or None."""
        return self._first(schema.LATERAL_VIEWS)

    def _first(self, views: tuple[str, ...]) -> StoredImage | None:
        return next((self.image(k) for k, view in enumerate(self.views) if view in views), None)
