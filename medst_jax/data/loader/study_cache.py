# SPDX-License-Identifier: Apache-2.0
"""A cache of what an earlier epoch computed for each study, in columns that grow.

Arrays of numbers take a fraction of the memory of as many Python objects, and a whole batch is
looked up at once.
"""

import threading

import numpy as np

from medst_jax.data.loader.tokenized_texts import run_indices

_INITIAL_CAPACITY = 256  # rows of a column

# In place of an entry's number: the study is not cached yet; what it gives changes from epoch to
# epoch, so it never is; it is cached and has no entry.
UNCACHED, UNCACHEABLE, EMPTY = -1, -2, -3


class GrowableColumns:
    """Columns of equal length, to whose end rows are added.

    Args:
      columns: a value of each, whose type and shape all its rows have.
    """

    def __init__(self, **columns: np.generic | np.ndarray) -> None:
        self._columns = {
            name: np.zeros((_INITIAL_CAPACITY, *value.shape), value.dtype)
            for name, value in columns.items()
        }
        self._used = 0

    def __getitem__(self, name: str) -> np.ndarray:
        """The column, with spare rows at its end."""
        return self._columns[name]

    def append(self, **values: np.ndarray) -> int:
        """Add rows; the number of the first of them. Not for two threads at once."""
        count = len(next(iter(values.values())))
        first, end = self._used, self._used + count
        for name, column in self._columns.items():
            if end > len(column):
                # Doubling keeps the number of copies of a row small, however many rows there are.
                capacity = max(2 * len(column), end)
                larger = np.zeros((capacity, *column.shape[1:]), column.dtype)
                larger[:first] = column[:first]
                # Readers go on with the array they hold: its rows do not change any more.
                self._columns[name] = column = larger
            column[first:end] = values[name]
        self._used = end
        return first


class StudyCache:
    """For each study a run of entries. Safe in threads.

    Args:
      studies: how many there are.
      columns: of an entry, see `GrowableColumns`.
    """

    def __init__(self, studies: int, **columns: np.generic | np.ndarray) -> None:
        self._first = np.full(studies, UNCACHED, np.int64)
        self._count = np.zeros(studies, np.int32)
        self._entries = GrowableColumns(**columns)
        self._lock = threading.Lock()

    def __getitem__(self, name: str) -> np.ndarray:
        """A column of all entries."""
        return self._entries[name]

    def add(self, row: int, **values: np.ndarray) -> None:
        """Cache the entries of a study; a study may have none."""
        with self._lock:
            # Two threads may read the same study at once; they computed the same entries.
            if self._first[row] == UNCACHED:
                first = self._entries.append(**values)
                self._count[row] = len(next(iter(values.values())))
                # Last: readers take no lock, and from now on they read the entries.
                self._first[row] = first

    def mark_uncacheable(self, row: int) -> None:
        """Note that what a study gives is not the same in every epoch."""
        self._first[row] = UNCACHEABLE

    def states(self, rows: np.ndarray) -> np.ndarray:
        """Negative for studies [B] that are `UNCACHED` or `UNCACHEABLE`, int64 [B]."""
        return self._first[rows]

    def state(self, row: int) -> int:
        """`states` of one study."""
        return int(self._first[row])

    def all_entries(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """All entries of cached studies [B], end to end, and how many each has [B]."""
        counts = self._count[rows]
        return run_indices(self._first[rows], counts), counts

    def choose(self, rows: np.ndarray, variates: np.ndarray) -> np.ndarray:
        """An entry of each study, any as likely as another.

        Args:
          rows: int64 [B], the studies.
          variates: [B] in [0, 1), by which an entry is chosen.

        Returns:
          int64 [B]; `UNCACHED`, `UNCACHEABLE` or `EMPTY` where a study has no entry.
        """
        first = self._first[rows]
        count = self._count[rows]
        entries = first + (variates * count).astype(np.int64)
        return np.where(first < 0, first, np.where(count > 0, entries, EMPTY))
