# SPDX-License-Identifier: Apache-2.0
"""A matrix over all pairs, given by its rows: never stored whole unless a dense loss asks."""

import dataclasses
from collections.abc import Callable
from typing import Any, overload

import jax

from medst_jax.array_types import Array


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Pairwise:
    """The [B, B] matrix whose entry (i, j) `function` computes from row i and column j.

    A bool [B, B] is itself quadratic in the batch: over 256 chips with 128 rows each it takes
    4 MiB a chip, and twice the chips take twice as much. Losses accept this wherever they accept a
    matrix; their ring and chunked forms then compute each block when they need it.

    Attributes:
      rows: arrays [B, ...] of the image side.
      columns: arrays [B, ...] of the text side.
      function: (rows of [r, ...], columns of [c, ...]) to the block [r, c]; of these alone,
        without other arrays inside. Rows that a loss masks reach it as zeros, and its values
        there must be finite.

    >>> import jax.numpy as jnp
    >>> study = jnp.array([7, 7, 9])
    >>> other = Pairwise(study, study, lambda r, c: r[:, None] != c[None, :])
    >>> other.matrix().tolist()
    [[False, False, True], [False, False, True], [True, True, False]]
    """

    rows: Any
    columns: Any
    function: Callable[[Any, Any], Array] = dataclasses.field(metadata={"static": True})

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) of the matrix."""
        return len(jax.tree.leaves(self.rows)[0]), len(jax.tree.leaves(self.columns)[0])

    def matrix(self) -> Array:
        """The whole matrix."""
        return self.function(self.rows, self.columns)


@overload
def as_matrix(matrix: None) -> None: ...
@overload
def as_matrix(matrix: Array | Pairwise) -> Array: ...
def as_matrix(matrix: Array | Pairwise | None) -> Array | None:
    """The array itself, or a `Pairwise` written out."""
    return matrix.matrix() if isinstance(matrix, Pairwise) else matrix
