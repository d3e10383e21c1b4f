# SPDX-License-Identifier: Apache-2.0
"""Packs of sequences as parts of the batch."""

from collections.abc import Sequence

import numpy as np

from medst_jax.data.batch_maker import Drawing
from medst_jax.data.epochs import PackedEpochs
from medst_jax.data.mixing import mixed


def draw_packs(
    epochs: Sequence[PackedEpochs],
    weights: Sequence[float],
    places: np.ndarray,
    rows: np.ndarray,
) -> tuple[Drawing, dict[str, np.ndarray]]:
    """The packs at places of the global stream of packs.

    Row r of a pack of R rows is position `place * R + r` of the stream of examples, so that draws
    do not depend on how packs are batched. A data set's packs come in the random order in which
    they were filled.

    Args:
      epochs: of each data set of the mixture.
      weights: of each.
      places: int64 [n].
      rows: int [n], the row of the global batch at which each pack begins.

    Returns:
      What the n * R rows show; and `sequence_rows` int32 [n * R / 2, T], counted from the start of
      the global batch, and `study_days` float32 of the same shape.
    """
    size = epochs[0].rows
    numbers, draws = mixed(weights, places)
    packs = [
        epochs[number].pack(draw)
        for number, draw in zip(numbers.tolist(), draws.tolist(), strict=True)
    ]
    inside = [sequences["sequence_rows"] for _, sequences in packs]
    moved = [
        np.where(here >= 0, here + np.int32(row), here)
        for here, row in zip(inside, rows.tolist(), strict=True)
    ]
    drawing = Drawing(
        positions=(places[:, None] * size + np.arange(size)).ravel(),
        numbers=np.repeat(numbers, size),
        draws=np.concatenate([studies for studies, _ in packs]),
    )
    days = np.concatenate([sequences["study_days"] for _, sequences in packs])
    return drawing, {"sequence_rows": np.concatenate(moved), "study_days": days}
