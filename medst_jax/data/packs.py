# SPDX-License-Identifier: Apache-2.0
"""The examples of one pack of sequences, stacked: an element of the stream."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medst_jax.data.epochs import PackedEpochs
from medst_jax.data.samples import Example, SampleMaker, stacked


@dataclass(frozen=True)
class PackMaker:
    """Turns (place, (data set, pack)) into R stacked examples and the pack's sequences.

    epochs: of each data set of the mixture, by its number.
    """

    make: SampleMaker
    epochs: tuple[PackedEpochs, ...]

    def __call__(self, place: int, drawn: tuple[int, int]) -> Example:
        """The pack at a place of the global stream of packs.

        Row r is position `place * R + r` of the stream of examples, so that draws do not depend
        on how packs are batched.
        """
        number, draw = drawn
        epochs = self.epochs[number]
        studies, sequences = epochs.pack(draw)
        first = place * epochs.rows
        examples = [self.make(first + r, (number, int(k))) for r, k in enumerate(studies)]
        return {**stacked(examples), **sequences}


def join_packs(packs: Sequence[Example]) -> Example:
    """Arrays [R, ...] of n packs as the flat rows of a batch [n * R, ...]."""
    return {key: np.concatenate([pack[key] for pack in packs]) for key in packs[0]}


def placed(pack: Example, row: int) -> Example:
    """The pack with its sequences' rows counted from the start of the global batch."""
    rows = pack["sequence_rows"]
    return {**pack, "sequence_rows": np.where(rows >= 0, rows + np.int32(row), rows)}
