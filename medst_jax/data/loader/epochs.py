# SPDX-License-Identifier: Apache-2.0
"""The endless epochs of one data set: studies one by one in a new order, or packs packed anew.

What stands at a place of the endless sequence follows from its number alone. So any process can
begin anywhere, and no iterator state is stored.
"""

import functools

import numpy as np

from medst_jax.data.loader.epoch_cache import EpochCache
from medst_jax.data.loader.packing import Packs, pack_epoch, sequence_rows
from medst_jax.data.mixture.mixture import Corpus
from medst_jax.data.randomness import generator, rotation
from medst_jax.data.records.timeline import patient_counts
from medst_jax.options import OptionError


class ShuffledEpochs:
    """The studies of a data set in an endless sequence, every epoch in a new order.

    The same on every process; an epoch's order is computed at its first use.

    Args:
      name: of its entry in the mixture.
      size: its studies.
      seed: of every order; it does not depend on the rest of the mixture.
    """

    def __init__(self, name: str, size: int, seed: int) -> None:
        self.size = size
        self._order = EpochCache(functools.partial(_epoch_order, name, size, seed))

    def __call__(self, numbers: np.ndarray) -> np.ndarray:
        """Which of the data set's `rows` stand at places `numbers` int64 [B], int64 [B]."""
        epochs, places = np.divmod(numbers, self.size)
        rows = np.empty(len(numbers), np.int64)
        # A batch spans one or two epochs, unless the data set is smaller than the batch.
        for epoch in np.unique(epochs).tolist():
            here = epochs == epoch
            rows[here] = self._order(epoch)[places[here]]
        return rows


class PackedEpochs:
    """Pack `n` of a data set, the same on every process; an epoch is packed at its first use.

    Args:
      corpus: the data set.
      length: T, studies of the longest sequence.
      rows: R, rows of a pack.
      seed: of every order.
      control: "windows" fills the windows with studies drawn from all patients, "order" shuffles
        the studies within each window; "none" does neither.
      full: whether windows have T studies, and others stand alone.

    Raises:
      OptionError: the data set has fewer studies than a pack has rows.
    """

    def __init__(
        self,
        corpus: Corpus,
        length: int,
        rows: int,
        seed: int,
        control: str = "none",
        *,
        full: bool = False,
    ):
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
        # The control keeps the shape of every pack, and the days, and exchanges the studies: what
        # differs from a real run is only whose studies a sequence shows.
        self._content: np.ndarray | None = None
        if control == "windows":
            self._content = rotation(len(corpus.rows), seed, f"windows {corpus.name}")
        self._epochs = EpochCache(
            functools.partial(_pack, self._counts, length, rows, seed, corpus.name, full)
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
        # The days stay in time order: the control breaks which study has which place, no more.
        if self._control == "order":
            rows = _shuffle_sequences(rows, generator(self._seed, f"order in {self._name}", number))
        if self._content is not None:
            order = self._content[order]
        return order, {"sequence_rows": rows, "study_days": days.astype(np.float32)}


def _epoch_order(name: str, size: int, seed: int, epoch: int) -> np.ndarray:
    # Sorted raw numbers: unlike `permutation` they stay the same in later versions of numpy.
    bits = generator(seed, f"order {name}", epoch).bit_generator
    raw = np.asarray(bits.random_raw(size))  # type: ignore[attr-defined]
    return np.argsort(raw, kind="stable").astype(np.int32)


def _pack(
    counts: np.ndarray, length: int, rows: int, seed: int, name: str, full: bool, epoch: int
) -> Packs:
    return pack_epoch(counts, length, rows, generator(seed, f"packs {name}", epoch), full=full)


def _shuffle_sequences(rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each sequence in another order, its absent places at the end as before."""
    shuffled = rows.copy()
    for sequence in shuffled:
        count = int(np.sum(sequence >= 0))
        sequence[:count] = sequence[rng.permutation(count)]
    return shuffled
