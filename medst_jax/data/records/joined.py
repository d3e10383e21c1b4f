# SPDX-License-Identifier: Apache-2.0
"""All splits of a data set as one: for benchmarks that are published over the whole of it.

Only evaluation opens a data set this way: training names its split. Rows are those of the splits one
after the other, in the order of their names.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, TypeVar

import numpy as np
from etils import epath

from medst_jax.data.records.annotations import (
    Annotations,
    ImagePair,
    Phrase,
    SentencePair,
    Text,
    open_annotations,
    read_annotation_info,
)
from medst_jax.data.records.index import Index
from medst_jax.data.records.studies import Studies, open_studies, read_info
from medst_jax.data.records.study import Study

ALL = "all"
T = TypeVar("T", bound=Phrase | ImagePair | SentencePair | Text)


class JoinedStudies(Studies):
    """The studies of several splits, which read as one split called "all"."""

    def __init__(self, members: list[Studies]) -> None:
        """`members` are splits of one data set."""
        first = members[0]
        self.name, self.split, self.labels = first.name, ALL, first.labels
        self.info, self.fingerprint = first.info, first.fingerprint
        arrays = [dataclasses.asdict(member.index) for member in members]
        secret = arrays[0].pop("secret_id")
        self.index = Index(
            **{name: np.concatenate([one[name] for one in arrays]) for name in arrays[0]},
            secret_id=secret,
        )
        self._members = members
        self._starts = np.cumsum([0, *(len(member) for member in members)])

    def __getitem__(self, i: int) -> Study:
        member, row = self._place(i)
        return member[row]

    def raw(self, i: int) -> bytes:
        member, row = self._place(i)
        return member.raw(row)

    def features(self, i: int) -> dict[str, Any]:
        member, row = self._place(i)
        return member.features(row)

    def _place(self, i: int) -> tuple[Studies, int]:
        row = self._row(i)
        member = int(np.searchsorted(self._starts, row, side="right")) - 1
        return self._members[member], row - int(self._starts[member])


class JoinedAnnotations(Annotations[T]):
    """The records of several splits, whose rows are those of `JoinedStudies`."""

    def __init__(self, members: list[Annotations[T]], starts: list[int]) -> None:
        """`starts`: the row of `JoinedStudies` where each member's split begins."""
        first = members[0]
        self.split, self.info = ALL, first.info
        self.labels, self.fingerprint = first.labels, first.fingerprint
        self._records: list[T] = []
        for member, start in zip(members, starts, strict=True):
            self._records += [_moved(record, start) for record in member]

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, i: Any) -> Any:
        return self._records[i]

    def __iter__(self) -> Iterator[T]:
        return iter(self._records)


def open_all_studies(data_dir: epath.PathLike, name: str, *, truth: bool = False) -> JoinedStudies:
    """Every split of a data set; raises what `open_studies` raises."""
    splits = sorted(read_info(data_dir, name)["splits"])
    return JoinedStudies([open_studies(data_dir, name, s, truth=truth) for s in splits])


def open_all_annotations(
    data_dir: epath.PathLike, name: str, kind: type[T], config: str
) -> JoinedAnnotations[T]:
    """The records of a kind of every split that has some; raises what `open_annotations` raises."""
    splits = sorted(read_annotation_info(data_dir, name, config)["splits"])
    members = [open_annotations(data_dir, name, kind, split) for split in splits]
    starts = [0] * len(splits)
    if kind in (Phrase, ImagePair):
        row, start = 0, {}
        for split in sorted(read_info(data_dir, name)["splits"]):
            start[split] = row
            row += len(open_studies(data_dir, name, split))
        starts = [start[split] for split in splits]
    return JoinedAnnotations(members, starts)


def _moved(record: T, start: int) -> T:
    if isinstance(record, Phrase):
        return dataclasses.replace(record, row=record.row + start)
    if isinstance(record, ImagePair):
        return dataclasses.replace(
            record, row=record.row + start, prior_row=record.prior_row + start
        )
    return record
