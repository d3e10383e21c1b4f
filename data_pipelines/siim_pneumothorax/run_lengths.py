# SPDX-License-Identifier: Apache-2.0
"""The run-length code of SIIM-ACR masks.

Pairs (gap, length): each gap counts from the end of the run before. Runs go down the columns of
the image, column by column.
"""

from __future__ import annotations

import re

import numpy as np

from medst_jax.data_pipelines.cells import CellError

_CODE = re.compile(r"\d{1,9}(?: +\d{1,9})*", re.ASCII)


def decode(code: str, height: int, width: int) -> np.ndarray:
    """Mask bool [height, width].

    Raises:
      CellError: not pairs of numbers, or runs beyond the image.

    >>> decode("1 2 1 1", 3, 2).astype(int).tolist()
    [[0, 0], [1, 1], [1, 0]]
    """
    ends = run_ends(code, height * width)
    # A run begins where its gap ends: +1 there, -1 where it ends, and the sum is the mask.
    steps = np.zeros(height * width + 1, np.int32)
    np.add.at(steps, ends[0::2], 1)
    np.add.at(steps, ends[1::2], -1)
    return np.cumsum(steps[:-1]).astype(bool).reshape(width, height).T


def run_ends(code: str, pixels: int) -> np.ndarray:
    """int64 [2n]: where each gap and each run ends.

    Raises:
      CellError: not pairs of numbers, or runs beyond `pixels`.
    """
    if not _CODE.fullmatch(code):
        raise CellError("run lengths are not numbers")
    ends = np.cumsum(np.array(code.split(), np.int64))
    if len(ends) % 2:
        raise CellError("run lengths are not pairs")
    if ends[-1] > pixels:
        raise CellError("run lengths go beyond the image")
    return ends
