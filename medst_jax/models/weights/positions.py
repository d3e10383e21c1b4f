# SPDX-License-Identifier: Apache-2.0
"""Position embeddings of one grid or length carried over to another."""

import math

import jax
import numpy as np

from medst_jax.models.layers.grid_positions import Resize, resize_table


def resize_grid(
    table: np.ndarray, shape: tuple[int, ...], leading: int, way: Resize = "antialiased"
) -> np.ndarray | None:
    """Bicubic resize of the embeddings of a square grid.

    Args:
      table: [..., leading + p * p, D]; the leading rows (class token) are kept as they are.
      shape: wanted, [..., leading + q * q, D].
      leading: rows before the grid.
      way: of the library that the model comes from; timm's and open_clip's is "antialiased".

    Returns:
      float32 of `shape`, or None where the rows are no square grid or widths differ.
    """
    old, new = (math.isqrt(s[-2] - leading) for s in (table.shape, shape))
    squares = [old**2 == table.shape[-2] - leading, new**2 == shape[-2] - leading]
    if not all(squares) or table.shape[-1] != shape[-1]:
        return None
    rows = table.reshape(-1, table.shape[-1]).astype(np.float32)
    if way == "bicubic":
        return np.asarray(resize_table(jax.numpy.asarray(rows), (new, new), way, leading)).reshape(
            shape
        )
    grid = rows[leading:].reshape(old, old, -1)
    resized = jax.image.resize(grid, (new, new, grid.shape[-1]), "cubic", antialias=True)
    joined = np.concatenate([rows[:leading], np.asarray(resized).reshape(new * new, -1)])
    return joined.reshape(shape)


def first_rows(table: np.ndarray, shape: tuple[int, ...]) -> np.ndarray | None:
    """The first `shape[0]` absolute positions of a text encoder; it cannot be made longer."""
    if table.shape[0] < shape[0] or table.shape[1:] != shape[1:]:
        return None
    return table[: shape[0]]
