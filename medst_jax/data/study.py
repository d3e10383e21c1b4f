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


def from_features(example: Mapping[str, Any], classes: int) -> Study:
    """A `Study` from the parsed features of one record; `classes` is C."""
    images, sections = example["images"], example["sections"]
    sentences = example["sentences"]
    return Study(
        patient_id=_text(example["patient_id"]),
        study_id=_text(example["study_id"]),
        study_index=int(example["study_index"]),
        study_days=float(example["study_days"]),
        images=tuple(
            StoredImage(
                image_id=_text(images["image_id"][k]),
                data=bytes(images["data"][k]),
                view=_text(images["view"][k]),
                height=int(images["height"][k]),
                width=int(images["width"][k]),
                spacing=(float(images["spacing"][k][0]), float(images["spacing"][k][1])),
                affine=np.asarray(images["affine"][k], np.float32),
            )
            for k in range(len(images["image_id"]))
        ),
        sections=tuple(
            (_text(name), _text(text))
            for name, text in zip(sections["name"], sections["text"], strict=True)
        ),
        sentences=tuple(
            Sentence(
                section=int(sentences["section"][k]),
                start=int(sentences["start"][k]),
                end=int(sentences["end"][k]),
                labels=np.asarray(sentences["labels"][k], np.int8)[:classes],
            )
            for k in range(len(sentences["section"]))
        ),
        labels=np.asarray(example["labels"], np.int8)[:classes],
        severity=int(example["severity"]),
        severity_source=_text(example["severity_source"]),
        progression=np.asarray(example["progression"], np.int8)[:classes],
        age=float(example["age"]),
        sex=_text(example["sex"]),
        language=_text(example["language"]),
        source=_text(example["source"]),
        truth={name: _truth(value) for name, value in example.items() if name[:6] == "truth_"},
    )


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _truth(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    array = np.asarray(value)
    if array.dtype.kind in "OS":
        return np.array([_text(v) for v in array.ravel()], dtype=object).reshape(array.shape)
    return array
