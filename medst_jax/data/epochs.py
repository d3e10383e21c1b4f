# SPDX-License-Identifier: Apache-2.0
"""The endless packs of one data set: every epoch packed anew, found by number alone."""

import threading
from typing import Any

import numpy as np

from medst_jax.data.mixture import Corpus
from medst_jax.data.packing import Packs, pack_epoch, sequence_rows
from medst_jax.data.randomness import generator, rotation
from medst_jax.data.timeline import patient_counts
from medst_jax.options import OptionError

_KEPT = 2  # epochs: reading ahead, threads meet at most two


class PackedEpochs:
    """Pack `n` of a data set, the same on every process; epochs are packed when first met.

    Args:
      corpus: the data set.
      length: T, studies of the longest sequence.
      rows: R, rows of a pack.
      seed: of every order.
      control: "windows" fills the windows with studies drawn from all patients, "order" shuffles
        the studies within each window; "none" does neither.

    Raises:
      OptionError: the data set has fewer studies than a pack has rows.
    """

    def __init__(self, corpus: Corpus, length: int, rows: int, seed: int, control: str = "none"):
        if len(corpus.rows) < rows:
            raise OptionError(
                f"data set {corpus.name!r} has {len(corpus.rows)} studies, fewer than the "
                f"{rows} rows of a pack; lower config.data.pack_rows"
            )
        index = corpus.studies.index
        self.length, self.rows = length, rows
        self._name, self._seed, self._control = corpus.name, seed, control
        self._counts = patient_counts(index.patient[corpus.rows])
        self._days = index.study_days[corpus.rows]
        self._content: np.ndarray | None = None
        if control == "windows":
            self._content = rotation(len(corpus.rows), seed, f"windows {corpus.name}")
        self._kept: dict[int, Packs] = {}
        self._packing = threading.Lock()

    @property
    def per_epoch(self) -> int:
        """Packs of one pass."""
        return int(self._counts.sum()) // self.rows

    def epoch(self, number: int) -> Packs:
        """The packs of a pass."""
        with self._packing:
            if number not in self._kept:
                draws = generator(self._seed, f"packs {self._name}", number)
                self._kept[number] = pack_epoch(self._counts, self.length, self.rows, draws)
                for old in sorted(self._kept)[:-_KEPT]:
                    del self._kept[old]
            return self._kept[number]

    def describe(self) -> str:
        """One line for people: packs of the first pass, and what packing costs."""
        packs, studies = self.epoch(0), int(self._counts.sum())
        return (
            f"{len(packs)} packs of {self.rows} rows from {len(self._counts)} patients, sequences "
            f"of up to {self.length}; no row is empty, {studies - packs.order.size} studies are "
            f"left over, {packs.cut} sequences are cut"
        )

    def pack(self, number: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Pack `number` of the endless sequence.

        Returns:
          int64 [R], which of the corpus' `rows` each row is; and `sequence_rows` int32 [R/2, T],
          rows within the pack, and `study_days` float32 [R/2, T], NaN unknown or absent.
        """
        packs = self.epoch(number // self.per_epoch)
        place = number % self.per_epoch
        order, window = packs.order[place], packs.window[place]
        rows = sequence_rows(window, self.length)
        days = np.where(rows >= 0, self._days[order][rows], np.float32(np.nan))
        if self._control == "order":
            rows = _shuffled(rows, generator(self._seed, f"order in {self._name}", number))
        if self._content is not None:
            order = self._content[order]
        return order, {"sequence_rows": rows, "study_days": days.astype(np.float32)}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": {}, "_packing": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _packing=threading.Lock())


def _shuffled(rows: np.ndarray, draws: np.random.Generator) -> np.ndarray:
    """Each sequence in another order, its absent places at the end as before."""
    moved = rows.copy()
    for sequence in moved:
        count = int(np.sum(sequence >= 0))
        sequence[:count] = sequence[draws.permutation(count)]
    return moved
