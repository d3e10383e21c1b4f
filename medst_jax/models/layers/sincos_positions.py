# SPDX-License-Identifier: Apache-2.0
"""Fixed positions of the patches of a square image: sines and cosines of row and column."""

import jax.numpy as jnp
import numpy as np
from flax import nnx


def sincos_positions(side: int, width: int, *, class_token: bool = True) -> np.ndarray:
    """One row per patch, in row order.

    Args:
      side: patches along one side of the image.
      width: D, divisible by 4: a quarter each for sine and cosine of the column, then of the row.
      class_token: whether a row of zeros stands first.

    Returns:
      float32 [1, side * side (+ 1), D].

    Raises:
      ValueError: the width is not divisible by 4.

    Source: He et al. 2022 (arXiv:2111.06377), as its release, which MRM keeps.
    """
    if width % 4:
        raise ValueError(f"width is {width}; positions of two axes need a multiple of 4")
    frequencies = 10_000.0 ** -(np.arange(width // 4) / (width // 4))
    row, column = np.divmod(np.arange(side * side), side)
    angles = [np.outer(axis, frequencies) for axis in (column, row)]
    table = np.concatenate([f(angle) for angle in angles for f in (np.sin, np.cos)], axis=1)
    zeros = np.zeros((int(class_token), width))
    return np.concatenate([zeros, table])[None].astype(np.float32)


def fixed_positions(side: int, width: int) -> nnx.Variable:
    """`sincos_positions` with a class token, stored and converted with the weights, not trained."""
    return nnx.BatchStat(
        jnp.asarray(sincos_positions(side, width)), axes=(None, "position", "embed")
    )
