# SPDX-License-Identifier: Apache-2.0
"""A source without studies: records of one config, read from files."""

from __future__ import annotations

import abc
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from etils import epath

from medst_jax.data.records.annotations import Annotation
from medst_jax.data.records.studies import Studies
from medst_jax.data_pipelines.listing.about import About
from medst_jax.data_pipelines.listing.csv_table import TableError
from medst_jax.data_pipelines.raw import RawStudy, Reject

_MAX_REJECT_FRACTION = 0.01


@dataclass(frozen=True)
class TextSource(abc.ABC):
    """A data set of text. A subclass gives `files`, `records` and `about`.

    Raises:
      TableError: no file, nothing usable in them, or more than 1% of the input is rejected.
    """

    source_dir: str
    name: str = ""

    about: ClassVar[About]
    config: ClassVar[str]
    labels: ClassVar[tuple[str, ...]] = ()
    truth_features: ClassVar[Mapping[str, Any]] = {}

    @abc.abstractmethod
    def files(self) -> Sequence[epath.Path]:
        """Every file the records depend on, in a fixed order; raises TableError without any."""

    @abc.abstractmethod
    def records(self) -> Iterator[tuple[str, Annotation] | Reject]:
        """(split, record) in a fixed order."""

    @property
    def card(self) -> Mapping[str, Any]:
        return {**self.about.card(), "files_hash": self._files_hash}

    def units(self) -> Sequence[str]:
        return ()

    def unit_hash(self, unit: str) -> str:
        raise KeyError(unit)

    def studies(self, unit: str) -> Iterator[RawStudy | Reject]:
        raise KeyError(unit)

    def annotation_configs(self) -> Sequence[str]:
        return (self.config,)

    def annotations(
        self, config: str, splits: Sequence[str], open_split: Callable[[str], Studies]
    ) -> Mapping[str, Iterable[Annotation]]:
        del config, splits, open_split
        return {split: self._of_split(split) for split in self._splits}

    @cached_property
    def _splits(self) -> Sequence[str]:
        """The splits; reads everything once, so that a bad file fails before it is written."""
        rejects: Counter[str] = Counter()
        accepted: Counter[str] = Counter()
        for record in self.records():
            if isinstance(record, Reject):
                rejects[record.reason] += 1
            else:
                accepted[record[0]] += 1
        refused, total = rejects.total(), rejects.total() + accepted.total()
        if not accepted or refused > _MAX_REJECT_FRACTION * total:
            listed = "; ".join(f"{count} x {reason}" for reason, count in rejects.most_common())
            raise TableError(
                f"data set {self.name!r}: {refused} of {total} inputs rejected ({listed}): mend "
                f"the files in {self.source_dir} or download them again"
            )
        return sorted(accepted)

    def _of_split(self, split: str) -> Iterator[Annotation]:
        for record in self.records():
            if not isinstance(record, Reject) and record[0] == split:
                yield record[1]

    @cached_property
    def _files_hash(self) -> str:
        """Over names, sizes and times: corpora are too large to be read for it."""
        state = hashlib.sha256()
        for path in self.files():
            status = path.stat()
            state.update(repr((path.name, status.length, status.mtime)).encode())
        return state.hexdigest()
