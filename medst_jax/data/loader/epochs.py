# SPDX-License-Identifier: Apache-2.0
"""The endless packs of one data set: every epoch packed anew, found by number alone."""

import functools

import numpy as np

from medst_jax.data.loader.epoch_cache import KeptEpochs
from medst_jax.data.loader.packing import Packs, pack_epoch, sequence_rows
from medst_jax.data.mixture.mixture import Corpus
from medst_jax.data.randomness import generator, rotation
from medst_jax.data.records.timeline import patient_counts
from medst_jax.options import OptionError


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
        self._epochs = KeptEpochs(
            functools.partial(_packed, self._counts, length, rows, seed, corpus.name)
        )

    @property
    def per_epoch(self) -> int:
        """Packs of one pass."""
        return int(self._counts.sum()) // self.rows

    def epoch(self, number: int) -> Packs:
        """The packs of a pass."""
        return self._epochs(number)

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


def _packed(counts: np.ndarray, length: int, rows: int, seed: int, name: str, epoch: int) -> Packs:
    return pack_epoch(counts, length, rows, generator(seed, f"packs {name}", epoch))


def _shuffled(rows: np.ndarray, draws: np.random.Generator) -> np.ndarray:
    """Each sequence in another order, its absent places at the end as before."""
    moved = rows.copy()
    for sequence in moved:
        count = int(np.sum(sequence >= 0))
        sequence[:count] = sequence[draws.permutation(count)]
    return moved
