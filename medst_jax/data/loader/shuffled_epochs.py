# SPDX-License-Identifier: Apache-2.0
"""The endless draws of one data set without packs: every epoch in a new order."""

import functools

import numpy as np

from medst_jax.data.loader.epoch_cache import KeptEpochs
from medst_jax.data.randomness import generator


class ShuffledEpochs:
    """The draws of a data set, the same on every process; an epoch is ordered when first met.

    Args:
      name: of its entry in the mixture.
      size: its studies.
      seed: of every order; it does not depend on the rest of the mixture.
    """

    def __init__(self, name: str, size: int, seed: int) -> None:
        self.size = size
        self._order = KeptEpochs(functools.partial(_order, name, size, seed))

    def __call__(self, draws: np.ndarray) -> np.ndarray:
        """Places int64 [B] in the data set's `rows` of the given draws [B] of the endless sequence."""
        epochs, places = np.divmod(draws, self.size)
        drawn = np.empty(len(draws), np.int64)
        for epoch in np.unique(epochs).tolist():
            here = epochs == epoch
            drawn[here] = self._order(epoch)[places[here]]
        return drawn


def _order(name: str, size: int, seed: int, epoch: int) -> np.ndarray:
    # Sorted raw numbers: unlike `permutation` they stay the same in later versions of numpy.
    bits = generator(seed, f"order {name}", epoch).bit_generator
    raw = np.asarray(bits.random_raw(size))  # type: ignore[attr-defined]
    return np.argsort(raw, kind="stable").astype(np.int32)
