# SPDX-License-Identifier: Apache-2.0
"""A study whose record is read, and parsed, only when something asks for it."""

from medst_jax.data.mixture.mixture import Corpus
from medst_jax.data.records.parse import Record
from medst_jax.data.records.study import Study


class LazyStudy:
    """Study number `row` of a data set of the mixture.

    Reading a record costs as much as everything else that an example needs except decoding, and
    parsing costs as much again. A study that is fully cached pays neither.
    """

    # One object is made per example: slots keep it small and quick to make.
    __slots__ = ("_parsed", "_record", "corpus", "row")

    def __init__(self, corpus: Corpus, row: int) -> None:
        self.corpus, self.row = corpus, row
        self._record: bytes | None = None
        self._parsed: Study | None = None

    @property
    def record(self) -> bytes:
        """The serialised record."""
        if self._record is None:
            self._record = self.corpus.studies.raw(self.row)
        return self._record

    @property
    def parsed(self) -> Study:
        """Its values."""
        if self._parsed is None:
            self._parsed = Study(Record(self.record, self.corpus.studies.labels))
        return self._parsed
