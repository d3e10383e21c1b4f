# SPDX-License-Identifier: Apache-2.0
"""Positions of a grid of patches: tables resized to another grid, and rotary ones.

Libraries resize a table in two ways, which differ by 4 to 15 percent of a feature: PyTorch's
bicubic interpolation (Keys' kernel, a = -0.75, the border repeated), or the same with
antialiasing (a = -0.5, weights normalised inside the border). A model was judged with one of them.
"""

import math
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

Resize = Literal["bicubic", "antialiased"]


def resize_table(table: jax.Array, grid: tuple[int, int], way: Resize, leading: int) -> jax.Array:
    """Position embeddings of a square grid for another one.

    Args:
      table: [leading + n * n, D], in row order.
      grid: rows and columns wanted.
      way: which interpolation, see above.
      leading: rows before the grid (class token), which stay as they are.

    Returns:
      float32 [leading + rows * columns, D].
    """
    side = math.isqrt(table.shape[0] - leading)
    down, across = (jnp.asarray(resize_matrix(side, new, way), jnp.float32) for new in grid)
    old = table[leading:].astype(jnp.float32).reshape(side, side, -1)
    # Positions are parameters: the default precision of matrix products would round them.
    new = jnp.einsum("ri,cj,ijd->rcd", down, across, old, precision="highest")
    return jnp.concatenate([table[:leading].astype(jnp.float32), new.reshape(-1, old.shape[-1])])


def resize_matrix(old: int, new: int, way: Resize) -> np.ndarray:
    """Weights float64 [new, old] of the old samples in the new ones; rows sum to 1.

    Source: Keys 1981 (IEEE TASSP 29, 1153), equations 4 and 15; borders and antialiasing as PyTorch.
    """
    scale = old / new
    weights = np.zeros((new, old))
    for row in range(new):
        centre = (row + 0.5) * scale
        if way == "bicubic":
            first = math.floor(centre - 0.5)
            for index in range(first - 1, first + 3):
                weight = _keys(centre - 0.5 - index, -0.75)
                weights[row, min(max(index, 0), old - 1)] += weight
            continue
        stretch = max(scale, 1.0)
        low = max(int(centre - 2 * stretch + 0.5), 0)
        high = min(int(centre + 2 * stretch + 0.5), old)
        for index in range(low, high):
            weights[row, index] = _keys((index + 0.5 - centre) / stretch, -0.5)
        weights[row] /= weights[row].sum()
    return weights


def _keys(x: float, a: float) -> float:
    """Keys' cubic kernel."""
    x = abs(x)
    if x < 1:
        return ((a + 2) * x - (a + 3)) * x * x + 1
    return (((x - 5) * x + 8) * x - 4) * a if x < 2 else 0.0


def rotary_tables(
    grid: tuple[int, int], size: int, base: float, leading: int
) -> tuple[np.ndarray, np.ndarray]:
    """Cosines and sines of DINOv3's rotary positions, float32 [leading + rows * columns, size].

    Source: Simeoni et al. 2025 (arXiv:2508.10104), section 3.2, as released.

    Args:
      grid: rows and columns of patches, whose centres lie in (-1, 1).
      size: d of a head; a quarter of it are frequencies of the row, as many of the column.
      base: of the frequencies, 100 in DINOv3.
      leading: tokens before the patches, which are not turned.

    Raises:
      ValueError: 4 does not divide `size`.
    """
    if size % 4:
        raise ValueError(f"rotary positions need heads whose size 4 divides; it is {size}")
    frequencies = base ** (-4.0 * np.arange(size // 4) / size)
    centres = [(np.arange(n) + 0.5) / n * 2 - 1 for n in grid]
    rows, columns = np.meshgrid(*centres, indexing="ij")
    places = np.stack([rows, columns], axis=-1).reshape(-1, 2, 1)
    angles = (2 * np.pi * places * frequencies).reshape(len(places), -1)
    angles = np.concatenate([np.zeros((leading, size)), np.tile(angles, 2)])
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)
