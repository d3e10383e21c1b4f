# SPDX-License-Identifier: Apache-2.0
"""Which studies stand where in the global stream: examples one by one, or packs of sequences.

The stream mixes the data sets by weight, as evenly as whole numbers allow.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medst_jax.data.loader.epochs import PackedEpochs, ShuffledEpochs
from medst_jax.data.mixture.mixture import Corpus

Rows = dict[str, np.ndarray]  # batch keys and their arrays [B, ...]


@dataclass(frozen=True)
class SampledRows:
    """Which study each row of a batch shows: arrays int64 [B].

    positions: in the global stream.
    corpora: numbers of the data sets in the mixture.
    rows: which of the `rows` of its data set.
    """

    positions: np.ndarray
    corpora: np.ndarray
    rows: np.ndarray


class ExampleSampler:
    """Examples of data sets mixed by weight, without end.

    Args:
      corpora: the mixture.
      seed: of the orders; a data set's own order does not depend on the rest of the mixture.
    """

    pack_rows = 0

    def __init__(self, corpora: Sequence[Corpus], seed: int) -> None:
        self._weights = _weights(corpora)
        self._epochs = tuple(
            ShuffledEpochs(corpus.name, len(corpus.rows), seed) for corpus in corpora
        )

    def __call__(self, positions: np.ndarray) -> tuple[SampledRows, Rows]:
        """What stands at positions int64 [B] of the stream, and no batch keys of its own."""
        corpora, numbers = mix_positions(self._weights, positions)
        rows = np.empty(len(positions), np.int64)
        for corpus in np.unique(corpora).tolist():
            here = corpora == corpus
            rows[here] = self._epochs[corpus](numbers[here])
        return SampledRows(positions, corpora, rows), {}


class PackSampler:
    """Packs of sequences of data sets mixed by weight, without end.

    A pack takes `pack_rows` consecutive positions of the stream. So what a position shows does not
    depend on how packs are batched. A data set's packs come in the order in which they were filled,
    which is random.

    Args:
      corpora: the mixture.
      epochs: of each data set, packs of one size.
      global_batch: rows of a step over all processes, whole packs.
    """

    def __init__(
        self, corpora: Sequence[Corpus], epochs: Sequence[PackedEpochs], global_batch: int
    ) -> None:
        self._weights, self._epochs = _weights(corpora), tuple(epochs)
        self._global_batch = global_batch
        self.pack_rows = epochs[0].rows

    def __call__(self, positions: np.ndarray) -> tuple[SampledRows, Rows]:
        """What stands at positions int64 [B] of the stream, whole packs; and their sequences.

        Returns:
          The sampled rows; and `sequence_rows` int32 [B / 2, T], counted from the start of the
          global batch, and `study_days` float32 of the same shape.
        """
        first = positions[:: self.pack_rows]
        corpora, numbers = mix_positions(self._weights, first // self.pack_rows)
        packs = [
            self._epochs[corpus].pack(number)
            for corpus, number in zip(corpora.tolist(), numbers.tolist(), strict=True)
        ]
        sequences = np.stack([keys["sequence_rows"] for _, keys in packs])
        # A pack counts its rows from its own start, the batch contract from that of the batch.
        offsets = (first % self._global_batch).astype(np.int32)[:, None, None]
        in_batch = np.where(sequences >= 0, sequences + offsets, sequences)
        sampled = SampledRows(
            positions=positions,
            corpora=np.repeat(corpora, self.pack_rows),
            rows=np.concatenate([rows for rows, _ in packs]),
        )
        return sampled, {
            "sequence_rows": in_batch.reshape(-1, sequences.shape[-1]),
            "study_days": np.concatenate([keys["study_days"] for _, keys in packs]),
        }


def mix_positions(weights: Sequence[float], positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The data set of each stream position, and which of that data set's elements it is.

    The places are those of grain's `MapDataset.mix`, computed for a whole batch at once: the first
    data set takes its share of all positions, the second its share of what is left, and so on.

    Args:
      weights: of each data set, positive; they count in hundredths of the smallest.
      positions: int64 [B], of the global stream.

    Returns:
      int64 [B], numbers of the data sets; and int64 [B], places 0, 1, ... in their own sequences.
    """
    shares = [int(weight * (100 / min(weights))) for weight in weights]
    corpora = np.full(len(positions), len(shares) - 1)
    numbers = np.zeros(len(positions), np.int64)
    # How many positions, before this one and up to it, no earlier data set has taken. Whole numbers
    # alone: a float would lose places far down the stream.
    before, upto, left = positions.astype(np.int64), positions.astype(np.int64) + 1, sum(shares)
    unassigned = np.ones(len(positions), bool)
    for k, share in enumerate(shares):
        rest_before, rest_upto = before * (left - share) // left, upto * (left - share) // left
        taken = upto - rest_upto
        # The count of positions taken grows by one here: so this position is the data set's.
        here = unassigned & (before - rest_before != taken)
        corpora[here], numbers[here] = k, taken[here] - 1
        unassigned &= ~here
        before, upto, left = rest_before, rest_upto, left - share
        if not left:
            break
    return corpora, numbers


def _weights(corpora: Sequence[Corpus]) -> tuple[float, ...]:
    return tuple(corpus.options.weight for corpus in corpora)
