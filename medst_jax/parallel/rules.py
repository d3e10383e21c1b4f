# SPDX-License-Identifier: Apache-2.0
"""Logical axis names to mesh axes: one table per strategy, and how a table is applied.

Parameters carry logical names (`variable.axes`), activations are named where a system calls
`constrain`. A mesh axis shards at most one dimension of an array: the first dimension that asks
for it gets it, so an ("embed", "embed") kernel is cut along its rows.
"""

import contextlib
import contextvars
import math
from collections.abc import Iterator, Mapping, Sequence

import jax
from jax.sharding import PartitionSpec as P

from medst_jax.parallel.mesh import MeshError, batch_shards
from medst_jax.parallel.placement import Placement, use_placement

Rules = Mapping[str, tuple[str, ...]]

_REPLICATED: dict[str, tuple[str, ...]] = {
    name: ()
    for name in (
        "embed",
        "mlp",
        "heads",
        "vocab",
        "joint",
        "labels",
        "conv_in",
        "conv_out",
        "layers",
        "position",
        "length",
    )
}
_DP = _REPLICATED | {"batch": ("data", "fsdp")}
# Vocabularies and label sets have sizes that no mesh divides: their tables are cut along "embed".
_FSDP = _DP | {"embed": ("fsdp",), "conv_out": ("fsdp",)}

# Strategies by name. "dp": every device computes with whole parameters. "fsdp": parameters are cut over
# the axis of that name and gathered where a layer uses them. "fsdp_tp": as well, layers are cut inside.
RULES: dict[str, Rules] = {
    "dp": _DP,
    "fsdp": _FSDP,
    "fsdp_tp": _FSDP | {"mlp": ("tensor",), "heads": ("tensor",)},
}

_current: contextvars.ContextVar[Rules | None] = contextvars.ContextVar("rules", default=None)


def get_rules(rules: str | Rules) -> Rules:
    """The table of that name, or the table itself.

    Raises:
      MeshError: no table has that name.
    """
    if not isinstance(rules, str):
        return rules
    if rules not in RULES:
        raise MeshError(f"config.rules is {rules!r}; known tables: {', '.join(RULES)}")
    return RULES[rules]


def partition_spec(
    names: Sequence[str | None],
    shape: Sequence[int],
    sizes: Mapping[str, int],
    rules: Rules,
    where: str,
) -> P:
    """Resolve the logical names of one array.

    Args:
      names: one logical name per dimension, None for a dimension that is never cut.
      shape: the array's shape.
      sizes: size of each mesh axis.
      rules: the table.
      where: what the array is called in messages, for example its parameter path.

    Raises:
      MeshError: wrong number of names, a name the table does not know, or a dimension that
        the mesh axes given to it do not divide. Nothing is replicated silently.
    """
    if len(names) != len(shape):
        raise MeshError(
            f"{where} has shape {tuple(shape)} and axes {tuple(names)}: one name per dimension"
        )
    free = {axis for axis, size in sizes.items() if size > 1}
    entries: list[str | tuple[str, ...] | None] = []
    for name, size in zip(names, shape, strict=True):
        if name is not None and name not in rules:
            raise MeshError(
                f"{where} has the axis {name!r}, which the sharding rules do not know; "
                f"known: {', '.join(rules)}"
            )
        axes = tuple(axis for axis in (rules[name] if name is not None else ()) if axis in free)
        shards = math.prod(sizes[axis] for axis in axes)
        if size % shards:
            raise MeshError(
                f"{where}: dimension {name!r} of size {size} is not divisible by the {shards} "
                f"shards of mesh axes {axes}; change config.mesh, config.rules or the size"
            )
        free -= set(axes)
        entries.append(axes[0] if len(axes) == 1 else axes or None)
    return P(*entries)


@contextlib.contextmanager
def use_rules(rules: Rules, platform: str = "") -> Iterator[None]:
    """Make `rules` the table that `constrain` and the models read while a step is traced.

    `platform` is that of the devices that the step is traced for; described ones are not JAX's own.
    """
    token = _current.set(rules)
    try:
        with use_placement(Placement(constrain, _gather, _ambient_batch_shards, platform)):
            yield
    finally:
        _current.reset(token)


def _gather(x: jax.Array, names: Sequence[str | None]) -> jax.Array:
    """A parameter where it is used: cut over `tensor` alone, so that products stay local."""
    mesh, rules = jax.sharding.get_abstract_mesh(), _current.get()
    if mesh.empty or rules is None:
        return x
    inside = {name: tuple(a for a in axes if a == "tensor") for name, axes in rules.items()}
    spec = partition_spec(names, x.shape, mesh.shape, inside, "parameter")
    return jax.lax.with_sharding_constraint(x, spec)


def _ambient_batch_shards() -> int:
    mesh = jax.sharding.get_abstract_mesh()
    return 1 if mesh.empty else batch_shards(mesh)


def constrain(x: jax.Array, names: Sequence[str | None]) -> jax.Array:
    """Pin the sharding of an activation by logical names, inside jit.

    Without an ambient mesh and rules (evaluation of one example, tests) the array is returned
    unchanged.

    Args:
      x: any array.
      names: one logical name per dimension, for example ("batch", "length", "embed").
    """
    mesh, rules = jax.sharding.get_abstract_mesh(), _current.get()
    if mesh.empty or rules is None:
        return x
    spec = partition_spec(names, x.shape, mesh.shape, rules, "activation")
    return jax.lax.with_sharding_constraint(x, spec)
