# SPDX-License-Identifier: Apache-2.0
"""What was found out about a data set's studies in an earlier epoch, in growing arrays.

Arrays of numbers take a fraction of the memory of as many Python objects, and a whole batch is
looked up at once.
"""

import threading

import numpy as np

from medst_jax.data.loader.tokenized_texts import Tokenized, runs

_ROOM = 256  # rows of a column at first


class Growing:
    """Columns of equal length that are added to at their end.

    Args:
      columns: a value of each, whose type and shape all its rows have.
    """

    def __init__(self, **columns: np.generic | np.ndarray) -> None:
        self._columns = {
            name: np.zeros((_ROOM, *value.shape), value.dtype) for name, value in columns.items()
        }
        self._used = 0

    def __getitem__(self, name: str) -> np.ndarray:
        """The column, with room at its end."""
        return self._columns[name]

    def append(self, **values: np.ndarray) -> int:
        """Add rows; the number of the first of them. Not for two threads at once."""
        count = len(next(iter(values.values())))
        first, end = self._used, self._used + count
        for name, column in self._columns.items():
            if end > len(column):
                room = max(2 * len(column), end)
                larger = np.zeros((room, *column.shape[1:]), column.dtype)
                larger[:first] = column[:first]
                # Readers keep the array they have, in which nothing changes.
                self._columns[name] = column = larger
            column[first:end] = values[name]
        self._used = end
        return first


# In place of an entry: nothing is known; the study is asked every time; it has no entry.
UNMET, ANEW, NOTHING = -1, -2, -3


class Remembered:
    """For each study a run of entries. Safe in threads.

    Args:
      studies: how many there are.
      columns: of an entry, see `Growing`.
    """

    def __init__(self, studies: int, **columns: np.generic | np.ndarray) -> None:
        self._first = np.full(studies, UNMET, np.int64)
        self._count = np.zeros(studies, np.int32)
        self._entries = Growing(**columns)
        self._adding = threading.Lock()

    def __getitem__(self, name: str) -> np.ndarray:
        """A column of all entries."""
        return self._entries[name]

    def add(self, row: int, **values: np.ndarray) -> None:
        """The entries of a study; none may be its run too."""
        with self._adding:
            if self._first[row] == UNMET:
                first = self._entries.append(**values)
                self._count[row] = len(next(iter(values.values())))
                self._first[row] = first  # last: from now on others read it

    def ask_anew(self, row: int) -> None:
        """Note that a study has no entries that stay the same."""
        self._first[row] = ANEW

    def state(self, rows: np.ndarray) -> np.ndarray:
        """Negative for studies [B] that are `UNMET` or asked `ANEW`."""
        return self._first[rows]

    def state_of(self, row: int) -> int:
        """`state` of one study."""
        return int(self._first[row])

    def all(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """All entries of studies [B] that have some, end to end, and how many each has [B]."""
        counts = self._count[rows]
        return runs(self._first[rows], counts), counts

    def draw(self, rows: np.ndarray, uniforms: np.ndarray) -> np.ndarray:
        """An entry of each study [B] by a number in [0, 1), int64 [B]; or what is in its place."""
        first = self._first[rows]
        count = self._count[rows]
        entries = first + (uniforms * count).astype(np.int64)
        return np.where(first < 0, first, np.where(count > 0, entries, NOTHING))


class RememberedTexts(Remembered):
    """Texts of each study."""

    def __init__(self, studies: int, classes: int) -> None:
        super().__init__(
            studies,
            start=np.int64(),
            count=np.int64(),
            codes=np.zeros(classes, np.int8),
            source=np.int8(),
            number=np.int32(),
            section=np.int16(),
        )
        self._tokens = Growing(ids=np.int32(), owners=np.int16())
        self._laying = threading.Lock()

    def add_texts(self, row: int, texts: Tokenized, sections: np.ndarray | None = None) -> None:
        """The texts of a study, any as likely as another.

        Args:
          row: the study.
          texts: one or more.
          sections: int [K], if the texts are the sentences of one: the section of each.
        """
        with self._laying:
            start = self._tokens.append(ids=texts.ids, owners=texts.owners)
        self.add(
            row,
            start=start + np.cumsum(texts.counts) - texts.counts,
            count=texts.counts,
            codes=texts.codes,
            source=texts.sources,
            number=texts.numbers,
            section=np.full(len(texts.counts), -1) if sections is None else sections,
        )

    def are_sentences(self, rows: np.ndarray) -> np.ndarray:
        """Which of the studies [B], all of them met, have the sentences of one text, bool [B]."""
        return self["section"][self._first[rows]] >= 0

    def texts(self, entries: np.ndarray) -> Tokenized:
        """The texts of entries [K]."""
        counts = self["count"][entries]
        places = runs(self["start"][entries], counts)
        return Tokenized(
            ids=self._tokens["ids"][places],
            owners=self._tokens["owners"][places],
            counts=counts,
            codes=self["codes"][entries],
            sources=self["source"][entries],
            numbers=self["number"][entries],
        )
