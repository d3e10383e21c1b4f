# SPDX-License-Identifier: Apache-2.0
"""What a data set pipeline hands to the build: studies as plain values, nothing encoded yet.

A pipeline implements `Source`; the banks (`data_pipelines/bank.py`) and the TFDS builder
(`data_pipelines/builder.py`) do the rest. Label codes are those of a stored study: 1 positive,
0 negative, -1 uncertain, -2 not mentioned in a report that was read, -3 nobody said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np

from medst_jax.data.records.annotations import Annotation
from medst_jax.data.records.studies import Studies

NAN = float("nan")


@dataclass(frozen=True)
class RawImage:
    """One image of a study: pixels in memory, or a file to be read when the bank is built.

    `view` is one of PA, AP, LATERAL, LL, other. `pixels` is 2-D uint8 or uint16, or None when
    `path` is set; `path` is relative to the source folder and must not leave it. `spacing` is
    (row, column) in mm, NaN when unknown. `row` is the 1-based line of the source's table (0 when
    there is none).
    """

    image_id: str
    view: str
    pixels: np.ndarray | None
    path: str | None = None
    spacing: tuple[float, float] = (NAN, NAN)
    row: int = 0


@dataclass(frozen=True)
class RawSentence:
    """Characters [start, end) of one section, with label codes (absent = -2)."""

    section: int
    start: int
    end: int
    labels: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class RawStudy:
    """One study; `study_days` counts from the patient's first study, NaN when unknown.

    `labels` holds the codes of what somebody said of the study: absent = -3, so a reader of reports
    gives -2 itself. `severity` is -1 (unknown) to 3. `progression` maps findings to 1 worse, 0 same, -1 better;
    absent = -2. `truth` holds `truth_*` features, which only evaluators read. `row` is the
    1-based line of the source's table that the study begins at (0 when there is none).
    """

    patient_id: str
    study_id: str
    study_index: int
    study_days: float
    images: tuple[RawImage, ...]
    sections: tuple[tuple[str, str], ...]
    sentences: tuple[RawSentence, ...]
    labels: Mapping[str, int]
    split: str
    severity: int = -1
    severity_source: str = ""
    progression: Mapping[str, int] = field(default_factory=dict)
    age: float = NAN
    sex: str = ""
    language: str = "en"
    source: str = ""
    truth: Mapping[str, Any] = field(default_factory=dict)
    row: int = 0


@dataclass(frozen=True)
class Reject:
    """An input that is skipped: its 1-based row (0 unknown) and a reason without text or ids."""

    row: int
    reason: str


class Source(Protocol):
    """A data set as units of about 1,000 studies; implementations are picklable.

    `card` holds licence, redistributable, intensity, description and, for evaluation sets,
    evaluation_only. `truth_features` maps a `truth_*` name to its dtype and shape (None = any).
    `units` is deterministic; `studies` yields patient and time order inside a unit, and a
    patient never spans two units. A source whose images have a `path` also has `source_dir`, the
    folder they are relative to.
    """

    @property
    def name(self) -> str: ...

    @property
    def labels(self) -> tuple[str, ...]: ...

    @property
    def card(self) -> Mapping[str, Any]: ...

    @property
    def truth_features(self) -> Mapping[str, tuple[Any, tuple[int | None, ...]]]: ...

    def units(self) -> Sequence[str]: ...

    def unit_hash(self, unit: str) -> str: ...

    def studies(self, unit: str) -> Iterator[RawStudy | Reject]: ...


@runtime_checkable
class CountedSource(Source, Protocol):
    """A source that knows, before it reads an image, how many studies a unit has at most."""

    def studies_in(self, unit: str) -> int: ...


@runtime_checkable
class DecidingSource(Source, Protocol):
    """A source that decides by all of its input what a part of it means.

    `check_rebuild` gets the card of the data set's earlier build, and raises where building again
    would decide otherwise than that did.
    """

    def check_rebuild(self, card: Mapping[str, Any]) -> None: ...


@runtime_checkable
class AnnotatedSource(Source, Protocol):
    """A source that also has records beside its studies, of the configs of `annotations`.

    It may have no units at all: then it has only those. `annotations` maps splits to records of
    one config; `open_split(split, truth=False)` opens the studies as built, and `splits` are theirs.
    """

    def annotation_configs(self) -> Sequence[str]: ...

    def annotations(
        self, config: str, splits: Sequence[str], open_split: Callable[..., Studies]
    ) -> Mapping[str, Iterable[Annotation]]: ...
