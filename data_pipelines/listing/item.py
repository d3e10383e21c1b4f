# SPDX-License-Identifier: Apache-2.0
"""One image of a raw data set, with what its study's tables say about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from medst_jax.data_pipelines.raw import NAN, Reject


@dataclass(frozen=True, slots=True)
class Box:
    """A finding's place in an image: corners in pixels of the source image."""

    finding: str
    x0: float
    y0: float
    x1: float
    y1: float


@dataclass(frozen=True, slots=True)
class Item:
    """One image, or a study without image (`path` empty).

    row: 1-based line of the table. path, report_path: files, relative to the source folder.
    order: sorts a patient's studies; day: days from any origin; NaN unknown. report: free text,
    split into sections later; sections: (name, text) where the source gives them. labels: codes
    by name, -2 for what a report that was read does not mention; absent = nobody said. split: empty for a hash of the patient. severity: -1 unknown
    to 3. masks: run-length encodings of findings, whose meaning is the data set's.
    """

    row: int
    patient_id: str
    study_id: str
    image_id: str
    path: str = ""
    view: str = "PA"
    order: float = NAN
    day: float = NAN
    report: str = ""
    report_path: str = ""
    sections: tuple[tuple[str, str], ...] = ()
    labels: Mapping[str, int] = field(default_factory=dict)
    split: str = ""
    age: float = NAN
    sex: str = ""
    language: str = "en"
    spacing: tuple[float, float] = (NAN, NAN)
    severity: int = -1
    severity_source: str = ""
    boxes: tuple[Box, ...] = ()
    masks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Listing:
    """What the tables of a data set say: items, rejected rows, vocabulary, facts for the card."""

    items: Sequence[Item]
    rejects: Sequence[Reject]
    labels: tuple[str, ...]
    card: Mapping[str, Any] = field(default_factory=dict)
