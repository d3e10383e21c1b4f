# SPDX-License-Identifier: Apache-2.0
"""A study that is being read: its record and what is parsed of it, each when first asked for."""

from medst_jax.data.mixture.mixture import Corpus
from medst_jax.data.records.parse import Record
from medst_jax.data.records.study import Study


class OpenStudy:
    """Study number `row` of a data set of the mixture.

    Reading costs as much as all else that an example needs but decoding, and parsing as much
    again, so that neither is done for what is remembered of an earlier epoch.
    """

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
