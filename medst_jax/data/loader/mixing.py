# SPDX-License-Identifier: Apache-2.0
"""Which data set is where in the stream: as even a mixture as whole numbers allow."""

from collections.abc import Sequence

import numpy as np


def mixed(weights: Sequence[float], positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The data set of each stream position, and which of that data set's draws it is.

    The places are those of grain's `MapDataset.mix`, found for a whole batch at once: the first
    data set takes its share of all positions, the second its share of what is left, and so on.

    Args:
      weights: of each data set, positive; they count in hundredths of the smallest.
      positions: int64 [B], of the global stream.

    Returns:
      int64 [B], numbers of the data sets; and int64 [B], their draws 0, 1, ...
    """
    shares = [int(weight * (100 / min(weights))) for weight in weights]
    number = np.full(len(positions), len(shares) - 1)
    draw = np.zeros(len(positions), np.int64)
    # Of the positions before this one and up to it, those that no earlier data set has taken.
    before, upto, left = positions.astype(np.int64), positions.astype(np.int64) + 1, sum(shares)
    open_ = np.ones(len(positions), bool)
    for k, share in enumerate(shares):
        rest_before, rest_upto = before * (left - share) // left, upto * (left - share) // left
        taken = upto - rest_upto
        here = open_ & (before - rest_before != taken)
        number[here], draw[here] = k, taken[here] - 1
        open_ &= ~here
        before, upto, left = rest_before, rest_upto, left - share
        if not left:
            break
    return number, draw
