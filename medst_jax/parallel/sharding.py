# SPDX-License-Identifier: Apache-2.0
"""Shardings of parameters and batches on a mesh, and batches onto devices."""

from collections.abc import Mapping

import jax
import numpy as np
from flax import nnx
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from medst_jax.parallel.mesh import BATCH_AXES, MeshError, batch_shards
from medst_jax.parallel.processes import local_shards
from medst_jax.parallel.rules import Rules, get_rules, partition_spec


def variables_by_path(state: nnx.State) -> dict[str, nnx.Variable]:
    """The variables of a state under "/"-joined paths, sorted by path."""
    flat = {"/".join(map(str, path)): variable for path, variable in nnx.to_flat_state(state)}
    return dict(sorted(flat.items()))


def param_shardings(params: nnx.State, mesh: Mesh, rules: str | Rules) -> dict[str, NamedSharding]:
    """The sharding of every parameter while the model computes, by path.

    Args:
      params: the `nnx.Param` part of a system, abstract or concrete.
      mesh: the mesh.
      rules: a table or the name of one.

    Raises:
      MeshError: names the path of a parameter without axes, with an unknown axis, or whose
        dimension the mesh does not divide.
    """
    table = get_rules(rules)
    shardings = {}
    for path, variable in variables_by_path(params).items():
        axes = variable.get_metadata().get("axes")
        if axes is None:
            raise MeshError(
                f"parameter {path} has no logical axes; give its initialiser "
                'metadata such as {"axes": ("embed", "mlp")}'
            )
        shape = variable.get_value().shape
        spec = partition_spec(axes, shape, mesh.shape, table, f"parameter {path}")
        shardings[path] = NamedSharding(mesh, spec)
    return shardings


def batch_sharding(mesh: Mesh) -> NamedSharding:
    """Leading dimension over (data, fsdp), everything else whole."""
    return NamedSharding(mesh, P(BATCH_AXES))


def replicated(mesh: Mesh) -> NamedSharding:
    """The same value on every device."""
    return NamedSharding(mesh, P())


def put_batch(batch: Mapping[str, np.ndarray], mesh: Mesh) -> dict[str, jax.Array]:
    """Lay this process' rows of a global batch onto its devices.

    Args:
      batch: arrays whose leading dimension holds the rows of this process, in the order of
        `local_rows`.
      mesh: the mesh.

    Returns:
      Global arrays, sharded over the batch dimension.

    Raises:
      MeshError: names an array whose global leading dimension the mesh does not divide.
    """
    sharding, on_this_process = batch_sharding(mesh), local_shards(mesh)
    arrays = {}
    for key, local in batch.items():
        if local.shape[0] % len(on_this_process):
            raise MeshError(
                f"batch[{key!r}] has {local.shape[0]} rows on this process, not divisible by the "
                f"{len(on_this_process)} batch shards of the mesh on it"
            )
        arrays[key] = _put(local, sharding, on_this_process, batch_shards(mesh))
    return arrays


def _put(
    local: np.ndarray, sharding: NamedSharding, on_this_process: np.ndarray, shards: int
) -> jax.Array:
    size = local.shape[0] // len(on_this_process)
    shape = (size * shards, *local.shape[1:])
    places: dict[jax.Device, int] = {}
    for device, index in sharding.addressable_devices_indices_map(shape).items():
        start = index[0].start if index else None
        shard = (start or 0) // max(size, 1)
        # The rows of this process lie without gaps in `local`, whatever shards they are.
        places[device] = int(np.searchsorted(on_this_process, shard))
    parts = [local[place * size : (place + 1) * size] for place in places.values()]
    # One call that says where each part goes: the loop forbids transfers that nobody asked for.
    on_devices = jax.device_put(parts, list(places))
    return jax.make_array_from_single_device_arrays(shape, sharding, on_devices)
