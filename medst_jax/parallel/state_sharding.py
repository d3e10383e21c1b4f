# SPDX-License-Identifier: Apache-2.0
"""Where parameters are kept and updated: cut over the batch axes too, along which they are equal.

Replicas of a parameter would all keep and compute the same. Instead each keeps a part of it, of its
optimizer state and of its average, and updates that part from its part of the gradient. A step
begins by gathering the parameter, in the precision it is computed with (Xu et al., "Automatic
Cross-Replica Sharding of Weight Update in Data-Parallel Training", arXiv:2004.13336).
"""

import math
from collections.abc import Mapping, Sequence

from flax import nnx
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from medst_jax.parallel.mesh import BATCH_AXES
from medst_jax.parallel.rules import Rules
from medst_jax.parallel.sharding import param_shardings, variables_by_path

# Numbers. Biases and norms stay whole: an exchange of their own costs more than they save.
SMALLEST = 2**16
# Never cut here. A loop makes the gradient of a stack layer by layer, and each must be cut; that of
# a table is added up row by row, from the examples of all devices.
_WHOLE = (None, "layers", "vocab")
# A chip stores the last two dimensions in tiles.
_TILE = (8, 128)


def state_shardings(params: nnx.State, mesh: Mesh, rules: str | Rules) -> dict[str, NamedSharding]:
    """Where every parameter, its optimizer state and its average are kept, by path.

    `param_shardings` says how they lie while the model computes.

    Args:
      params: the `nnx.Param` part of a system, abstract or concrete.
      mesh: the mesh.
      rules: a table or the name of one.

    Raises:
      MeshError: see `param_shardings`.
    """
    computed = param_shardings(params, mesh, rules)
    stored = {}
    for path, variable in variables_by_path(params).items():
        axes, shape = variable.get_metadata()["axes"], variable.get_value().shape
        stored[path] = NamedSharding(mesh, state_spec(axes, shape, computed[path].spec, mesh.shape))
    return stored


def sharding_rows(params: nnx.State, mesh: Mesh, rules: str | Rules) -> list[dict[str, str]]:
    """Of each parameter: path, shape, logical axes, partition of each dimension.

    "kept" is the partition between steps where that is another one, else empty.
    """
    computed, stored = param_shardings(params, mesh, rules), state_shardings(params, mesh, rules)
    return [
        {
            "path": path,
            "shape": str(tuple(variable.get_value().shape)),
            "axes": str(variable.get_metadata()["axes"]),
            "partition": str(computed[path].spec),
            "kept": str(stored[path].spec) if stored[path] != computed[path] else "",
        }
        for path, variable in variables_by_path(params).items()
    ]


def sharding_table(params: nnx.State, mesh: Mesh, rules: str | Rules) -> str:
    """One line per parameter of what `sharding_rows` gives."""
    rows = [
        (*list(row.values())[:4], f"kept as {row['kept']}" if row["kept"] else "")
        for row in sharding_rows(params, mesh, rules)
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def state_spec(
    names: Sequence[str | None], shape: Sequence[int], computed: P, sizes: Mapping[str, int]
) -> P:
    """Cut one dimension of a parameter over the batch axes that its partition leaves free.

    Of the dimensions that those axes divide it is the one whose parts are stored with the least
    padding. A parameter that is small, or that no dimension allows, stays as it is.

    Args:
      names: one logical name per dimension, None for a dimension that is never cut.
      shape: the parameter's shape.
      computed: its partition while the model computes.
      sizes: size of each mesh axis.
    """
    entries = [(e,) if isinstance(e, str) else tuple(e or ()) for e in computed]
    taken = {axis for entry in entries for axis in entry}
    free = tuple(axis for axis in BATCH_AXES if axis not in taken and sizes[axis] > 1)
    if not free or math.prod(shape) < SMALLEST:
        return computed
    cuts = []
    for dimension, name in enumerate(names):
        axes = [e + free if d == dimension else e for d, e in enumerate(entries)]
        shards = [math.prod(sizes[axis] for axis in entry) for entry in axes]
        if name not in _WHOLE and shape[dimension] % shards[dimension] == 0:
            part = [size // n for size, n in zip(shape, shards, strict=True)]
            cuts.append((_padded_size(part), dimension, axes))
    if not cuts:
        return computed
    return P(*(entry[0] if len(entry) == 1 else entry or None for entry in min(cuts)[2]))


def _padded_size(part: Sequence[int]) -> int:
    """Numbers that a chip stores for an array of that shape, padding included."""
    tile = (1,) * (len(part) - 2) + _TILE[-len(part) :]
    return math.prod(-(-size // t) * t for size, t in zip(part, tile, strict=True))
