# SPDX-License-Identifier: Apache-2.0
"""A loss over pairs without its matrix: columns pass by the rows, gradients come with the value.

Two passes, each over all blocks (the first twice where a loss needs it): the first collects the statistics of rows and columns, which
give the value; the second, only where a gradient is asked for, adds up each block's gradient
with those statistics held constant. Nothing of a block outlives it, and in a ring the columns
travel again rather than being kept, so that memory does not grow with the number of devices.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from medst_jax.losses.forms import blocks
from medst_jax.losses.forms.blocks import Arrays, Chunks
from medst_jax.losses.forms.blockwise import BlockwiseLoss, RefinedReduction


@dataclasses.dataclass(frozen=True)
class Ring:
    """The devices that columns travel around: `axes` of the mesh, `size` devices in all."""

    axes: tuple[str, ...] = ()
    size: int = 1

    def owner(self, hop: jax.Array) -> jax.Array:
        """Whose columns are here after `hop` shifts."""
        here = jax.lax.axis_index(self.axes) if self.axes else 0
        return (here + hop) % self.size

    def shift(self, tree: Any) -> Any:
        """Hand everything to the device before."""
        if self.size == 1:
            return tree
        to = [(device, (device - 1) % self.size) for device in range(self.size)]
        return jax.tree.map(lambda leaf: jax.lax.ppermute(leaf, self.axes, to), tree)

    def total(self, tree: Any) -> Any:
        """Sums over devices."""
        return jax.lax.psum(tree, self.axes) if self.axes else tree


@dataclasses.dataclass(frozen=True)
class TwoPasses:
    """Both passes of one loss.

    Attributes:
      loss: its blocks.
      chunk: rows and columns of a block, at most.
      ring: the devices that share the batch.
    """

    loss: BlockwiseLoss
    chunk: int
    ring: Ring

    @property
    def dtype(self) -> Any:
        """Of statistics and gradients: float64 when a value is float64, else float32."""
        loss = self.loss
        values = Arrays(loss.scalars, loss.rows, loss.columns, loss.pairs).values
        wide = any(leaf.dtype == jnp.float64 for leaf in jax.tree.leaves(values))
        return jnp.float64 if wide else jnp.float32

    def statistics(self, arrays: Arrays) -> tuple[Any, Any]:
        """First pass: statistics of this device's rows and columns, from the whole matrix."""
        rows = len(arrays.rows.valid)
        chunks = blocks.split_evenly(rows, self.chunk)
        arrays, pairs = _pad_to_chunks(arrays, chunks, self.ring)

        def hop(carry: Any, number: jax.Array) -> tuple[Any, None]:
            columns, of_columns, of_rows = carry
            visiting = _pairs_with(pairs, self.ring.owner(number))
            here = arrays._replace(columns=columns, pairs=visiting)
            of_rows, of_columns = blocks.add_statistics(
                self.loss, here, (of_rows, of_columns), chunks
            )
            return (*self.ring.shift((columns, of_columns)), of_rows), None

        nothing = self.loss.reduction.initial_statistics(chunks.rows, self.dtype)
        start = (arrays.columns, nothing, nothing)
        _, of_columns, of_rows = _go_around(hop, start, self.ring)
        if isinstance(self.loss.reduction, RefinedReduction):
            of_rows, of_columns = self._refined(arrays, pairs, (of_rows, of_columns), chunks)
        return jax.tree.map(lambda leaf: leaf[:rows], (of_rows, of_columns))

    def _refined(
        self, arrays: Arrays, pairs: Any, statistics: tuple[Any, Any], chunks: Chunks
    ) -> tuple[Any, Any]:
        """The statistics after one more round, in which those of the first are known."""
        row_statistics, column_statistics = statistics

        def hop(carry: Any, number: jax.Array) -> tuple[Any, None]:
            columns, known, of_columns, of_rows = carry
            visiting = _pairs_with(pairs, self.ring.owner(number))
            here = arrays._replace(columns=columns, pairs=visiting)
            of_rows, of_columns = blocks.add_refinements(
                self.loss, here, (row_statistics, known), (of_rows, of_columns), chunks
            )
            return (*self.ring.shift((columns, known, of_columns)), of_rows), None

        start = (arrays.columns, column_statistics, column_statistics, row_statistics)
        _, _, of_columns, of_rows = _go_around(hop, start, self.ring)
        return of_rows, of_columns

    def gradients(
        self, arrays: Arrays, statistics: tuple[Any, Any], valid_count: jax.Array
    ) -> tuple[Any, Any, Any, Any]:
        """Second pass: gradients with respect to this device's `arrays.values`, in their dtypes."""
        rows = len(arrays.rows.valid)
        chunks = blocks.split_evenly(rows, self.chunk)
        like = arrays.values
        arrays, pairs = _pad_to_chunks(arrays, chunks, self.ring)
        row_statistics, column_statistics = jax.tree.map(
            lambda leaf: jnp.pad(leaf, (0, chunks.rows - rows)), statistics
        )

        def hop(carry: Any, number: jax.Array) -> tuple[Any, None]:
            columns, column_statistics, of_columns, (of_scalars, of_rows, of_pairs) = carry
            owner = self.ring.owner(number)
            here = arrays._replace(columns=columns, pairs=_pairs_with(pairs, owner))
            so_far = (of_scalars, of_rows, of_columns, _pairs_with(of_pairs, owner))
            of_scalars, of_rows, of_columns, of_block = blocks.add_gradients(
                self.loss, here, (row_statistics, column_statistics), valid_count, so_far, chunks
            )
            of_pairs = jax.tree.map(
                lambda leaf, new: jax.lax.dynamic_update_index_in_dim(leaf, new, owner, 1),
                of_pairs,
                of_block,
            )
            moved = self.ring.shift((columns, column_statistics, of_columns))
            return (*moved, (of_scalars, of_rows, of_pairs)), None

        def zeros(tree: Any) -> Any:
            return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, self.dtype), tree)

        own = zeros((arrays.scalars, arrays.rows.values, pairs.values))
        start = (arrays.columns, column_statistics, zeros(arrays.columns.values), own)
        _, _, of_columns, (of_scalars, of_rows, of_pairs) = _go_around(hop, start, self.ring)
        of_pairs = jax.tree.map(lambda leaf: leaf[:rows, :, :rows].reshape(rows, -1), of_pairs)
        of_rows, of_columns = jax.tree.map(lambda leaf: leaf[:rows], (of_rows, of_columns))
        summed = (self.ring.total(of_scalars), of_rows, of_columns, of_pairs)
        return jax.tree.map(lambda gradient, leaf: gradient.astype(leaf.dtype), summed, like)


def _pad_to_chunks(arrays: Arrays, chunks: Chunks, ring: Ring) -> tuple[Arrays, Any]:
    """Sides filled up to whole chunks; pairs as [rows, owner, columns], filled up likewise."""
    missing = chunks.rows - len(arrays.rows.valid)

    def by_owner(leaf: Any) -> jax.Array:  # numpy constants come as they are
        leaf = jnp.asarray(leaf).reshape(len(leaf), ring.size, -1)
        return jnp.pad(leaf, ((0, missing), (0, 0), (0, missing))) if missing else leaf

    # Positions that differ: rows and columns that fill up must not match one another.
    rows = blocks.pad_side(arrays.rows, chunks.rows, -1)
    columns = blocks.pad_side(arrays.columns, chunks.rows, -2)
    pairs = jax.tree.map(by_owner, arrays.pairs)
    return arrays._replace(rows=rows, columns=columns), pairs


def _pairs_with(pairs: Any, owner: jax.Array) -> Any:
    """Pairs of this device's rows with the columns of `owner`."""
    return jax.tree.map(
        lambda leaf: jax.lax.dynamic_index_in_dim(leaf, owner, 1, keepdims=False), pairs
    )


def _go_around(hop: Any, carry: Any, ring: Ring) -> Any:
    """`carry` after one hop for each device's columns."""
    if ring.size == 1:
        return hop(carry, jnp.int32(0))[0]
    return jax.lax.scan(hop, carry, jnp.arange(ring.size, dtype=jnp.int32))[0]
