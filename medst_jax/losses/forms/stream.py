# SPDX-License-Identifier: Apache-2.0
"""A pair loss without its matrix: columns pass by the rows, gradients come with the value.

Two passes, each over all blocks: the first collects the statistics of rows and columns, which
give the value; the second, only where a gradient is asked for, adds up each block's gradient
with those statistics held constant. Nothing of a block outlives it, and in a ring the columns
travel again rather than being kept, so that memory does not grow with the number of devices.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from medst_jax.losses.forms import blocks
from medst_jax.losses.forms.blocks import Arrays, Cut
from medst_jax.losses.forms.pairs import PairTask


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


def precision(task: PairTask) -> Any:
    """float64 when a value is float64, else float32."""
    values = jax.tree.leaves(Arrays(task.shared, task.rows, task.columns, task.pairs).values)
    return jnp.float64 if any(v.dtype == jnp.float64 for v in values) else jnp.float32


def measure(task: PairTask, arrays: Arrays, chunk: int, ring: Ring, dtype: Any) -> tuple[Any, Any]:
    """Statistics of this device's rows and of its columns, from the whole matrix."""
    rows = len(arrays.rows.valid)
    cuts = blocks.cut(rows, chunk)
    arrays, pairs = _prepared(arrays, cuts, ring)

    def hop(carry: Any, number: jax.Array) -> tuple[Any, None]:
        columns, column_stats, row_stats = carry
        here = arrays._replace(columns=columns, pairs=_of(pairs, ring.owner(number)))
        row_stats, column_stats = blocks.measure(task, here, (row_stats, column_stats), cuts)
        return (*ring.shift((columns, column_stats)), row_stats), None

    nothing = task.family.empty(cuts.rows, dtype)
    _, column_stats, row_stats = _hops(hop, (arrays.columns, nothing, nothing), ring)
    return jax.tree.map(lambda leaf: leaf[:rows], (row_stats, column_stats))


def slope(
    task: PairTask,
    arrays: Arrays,
    stats: tuple[Any, Any],
    count: jax.Array,
    chunk: int,
    ring: Ring,
    dtype: Any,
) -> tuple[Any, Any, Any, Any]:
    """Gradients of the loss with respect to this device's `arrays.values`, in their dtypes."""
    rows = len(arrays.rows.valid)
    cuts = blocks.cut(rows, chunk)
    like = arrays.values
    arrays, pairs = _prepared(arrays, cuts, ring)
    row_stats, column_stats = jax.tree.map(lambda leaf: jnp.pad(leaf, (0, cuts.rows - rows)), stats)

    def hop(carry: Any, number: jax.Array) -> tuple[Any, None]:
        columns, column_stats, of_columns, (of_shared, of_rows, of_pairs) = carry
        owner = ring.owner(number)
        here = arrays._replace(columns=columns, pairs=_of(pairs, owner))
        sums = (of_shared, of_rows, of_columns, _of(of_pairs, owner))
        of_shared, of_rows, of_columns, block = blocks.slope(
            task, here, (row_stats, column_stats), count, sums, cuts
        )
        of_pairs = jax.tree.map(
            lambda leaf, new: jax.lax.dynamic_update_index_in_dim(leaf, new, owner, 1),
            of_pairs,
            block,
        )
        moved = ring.shift((columns, column_stats, of_columns))
        return (*moved, (of_shared, of_rows, of_pairs)), None

    def zeros(tree: Any) -> Any:
        return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, dtype), tree)

    own = zeros((arrays.shared, arrays.rows.values, pairs.values))
    start = (arrays.columns, column_stats, zeros(arrays.columns.values), own)
    _, _, of_columns, (of_shared, of_rows, of_pairs) = _hops(hop, start, ring)
    of_pairs = jax.tree.map(lambda leaf: leaf[:rows, :, :rows].reshape(rows, -1), of_pairs)
    of_rows, of_columns = jax.tree.map(lambda leaf: leaf[:rows], (of_rows, of_columns))
    found = (ring.total(of_shared), of_rows, of_columns, of_pairs)
    return jax.tree.map(lambda gradient, leaf: gradient.astype(leaf.dtype), found, like)


def _prepared(arrays: Arrays, cuts: Cut, ring: Ring) -> tuple[Arrays, Any]:
    """Sides filled up to whole chunks; pairs as [rows, owner, columns], filled up likewise."""
    missing = cuts.rows - len(arrays.rows.valid)

    def by_owner(leaf: jax.Array) -> jax.Array:
        leaf = leaf.reshape(len(leaf), ring.size, -1)
        return jnp.pad(leaf, ((0, missing), (0, 0), (0, missing))) if missing else leaf

    # Positions that differ: rows and columns that fill up must not match one another.
    rows = blocks.filled(arrays.rows, cuts.rows, -1)
    columns = blocks.filled(arrays.columns, cuts.rows, -2)
    pairs = jax.tree.map(by_owner, arrays.pairs)
    return arrays._replace(rows=rows, columns=columns), pairs


def _of(pairs: Any, owner: jax.Array) -> Any:
    """Pairs of this device's rows with the columns of `owner`."""
    return jax.tree.map(
        lambda leaf: jax.lax.dynamic_index_in_dim(leaf, owner, 1, keepdims=False), pairs
    )


def _hops(hop: Any, carry: Any, ring: Ring) -> Any:
    if ring.size == 1:
        return hop(carry, jnp.int32(0))[0]
    return jax.lax.scan(hop, carry, jnp.arange(ring.size, dtype=jnp.int32))[0]
