# SPDX-License-Identifier: Apache-2.0
"""The endless draws of one data set without packs: every epoch in a new order."""

import functools

import numpy as np

from medst_jax.data.kept_epochs import KeptEpochs
from medst_jax.data.randomness import generator


class ShuffledEpochs:
    """Draw `k` of a data set, the same on every process; an epoch is ordered when first met.

    Args:
      number: of the data set in the mixture.
      name: of its entry there.
      size: its studies.
      seed: of every order; it does not depend on the rest of the mixture.
    """

    def __init__(self, number: int, name: str, size: int, seed: int) -> None:
        self.number, self.size = number, size
        self._order = KeptEpochs(functools.partial(_order, name, size, seed))

    def __call__(self, k: int) -> tuple[int, int]:
        """Draw `k` of the endless sequence: the data set's number, and a place in its `rows`."""
        epoch, place = divmod(k, self.size)
        return self.number, int(self._order(epoch)[place])


def _order(name: str, size: int, seed: int, epoch: int) -> np.ndarray:
    # Sorted raw numbers: unlike `permutation` they stay the same in later versions of numpy.
    bits = generator(seed, f"order {name}", epoch).bit_generator
    raw = np.asarray(bits.random_raw(size))  # type: ignore[attr-defined]
    return np.argsort(raw, kind="stable").astype(np.int32)
