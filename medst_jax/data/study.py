# SPDX-License-Identifier: Apache-2.0
"""A study as it is read back: plain values, images still encoded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from medst_jax.data import schema


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


@dataclass(frozen=True)
class Study:
    """One study record; `truth` is empty unless the reader was opened with truth=True."""

    patient_id: str
    study_id: str
    study_index: int
    study_days: float
    images: tuple[StoredImage, ...]
    sections: tuple[tuple[str, str], ...]
    sentences: tuple[Sentence, ...]
    labels: np.ndarray
    severity: int
    severity_source: str
    progression: np.ndarray
    age: float
    sex: str
    language: str
    source: str
    truth: Mapping[str, Any] = field(default_factory=dict)

    def sentence_text(self, k: int) -> str:
        """Text of sentence `k`."""
        sentence = self.sentences[k]
        return self.sections[sentence.section][1][sentence.start : sentence.end]

    def frontal(self) -> StoredImage | None:
        """The first PA or AP image, or None."""
        return self._first(schema.FRONTAL_VIEWS)

    def lateral(self) -> StoredImage | None:
        """The first lateral image, or None."""
        return self._first(schema.LATERAL_VIEWS)

    def _first(self, views: tuple[str, ...]) -> StoredImage | None:
        return next((image for image in self.images if image.view in views), None)
