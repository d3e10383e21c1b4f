# SPDX-License-Identifier: Apache-2.0
"""Which studies are where in the stream: examples one by one, or packs of sequences."""

from collections.abc import Sequence

import numpy as np

from medst_jax.data.loader.batch_maker import Drawing, Rows
from medst_jax.data.loader.epochs import PackedEpochs
from medst_jax.data.loader.mixing import mixed
from medst_jax.data.loader.shuffled_epochs import ShuffledEpochs
from medst_jax.data.mixture.mixture import Corpus


class Draws:
    """Examples: data sets mixed by weight, without end.

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

    def __call__(self, positions: np.ndarray) -> tuple[Drawing, Rows]:
        """What is at positions int64 [B] of the stream, and nothing about sequences."""
        numbers, draws = mixed(self._weights, positions)
        places = np.empty(len(positions), np.int64)
        for number in np.unique(numbers).tolist():
            here = numbers == number
            places[here] = self._epochs[number](draws[here])
        return Drawing(positions, numbers, places), {}


class PackDraws:
    """Packs of sequences: packs of the data sets mixed by weight, without end.

    A pack takes `pack_rows` consecutive positions of the stream, so that draws do not depend on how
    packs are batched. A data set's packs come in the random order in which they were filled.

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

    def __call__(self, positions: np.ndarray) -> tuple[Drawing, Rows]:
        """What is at positions int64 [B] of the stream, whole packs; and their sequences.

        Returns:
          `sequence_rows` int32 [B / 2, T], counted from the start of the global batch, and
          `study_days` float32 of the same shape, beside the drawing.
        """
        first = positions[:: self.pack_rows]
        numbers, draws = mixed(self._weights, first // self.pack_rows)
        packs = [
            self._epochs[number].pack(draw)
            for number, draw in zip(numbers.tolist(), draws.tolist(), strict=True)
        ]
        rows = np.stack([sequences["sequence_rows"] for _, sequences in packs])
        offsets = (first % self._global_batch).astype(np.int32)[:, None, None]
        drawing = Drawing(
            positions=positions,
            numbers=np.repeat(numbers, self.pack_rows),
            draws=np.concatenate([studies for studies, _ in packs]),
        )
        return drawing, {
            "sequence_rows": np.where(rows >= 0, rows + offsets, rows).reshape(-1, rows.shape[-1]),
            "study_days": np.concatenate([sequences["study_days"] for _, sequences in packs]),
        }


def _weights(corpora: Sequence[Corpus]) -> tuple[float, ...]:
    return tuple(corpus.options.weight for corpus in corpora)
