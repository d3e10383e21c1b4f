# SPDX-License-Identifier: Apache-2.0
"""The device mesh: axes `data`, `fsdp`, `tensor`; slices of a pod lie on `data` alone."""

import math
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.experimental import mesh_utils
from jax.sharding import AbstractMesh, AxisType, Mesh

AXES = ("data", "fsdp", "tensor")
BATCH_AXES = ("data", "fsdp")


class MeshError(ValueError):
    """Devices, batch or arrays that do not fit the mesh or the sharding rules."""


def make_mesh(
    data: int = -1, fsdp: int = 1, tensor: int = 1, devices: Sequence[Any] | None = None
) -> Mesh:
    """Arrange devices in a mesh with axes (data, fsdp, tensor), all of type Auto.

    Devices of several slices (`slice_index`) are arranged so that only `data` crosses slices:
    everything else stays on the fast network inside one slice.

    Args:
      data: replicas of the parameters while the model computes; -1 takes what `fsdp` and `tensor`
        leave.
      fsdp: shards of the parameters, gathered where a layer uses them; the batch is cut over it as
        well.
      tensor: shards inside a layer.
      devices: the devices to use, `jax.devices()` by default; a described topology works too.

    Raises:
      MeshError: the three sizes do not multiply to the number of devices, or the slices do
        not divide `data`.
    """
    devices = list(jax.devices() if devices is None else devices)
    if min(fsdp, tensor) < 1 or (data < 1 and data != -1):
        raise MeshError(
            f"mesh sizes are data={data}, fsdp={fsdp}, tensor={tensor}; each must be at least 1, "
            "data may be -1 for all that is left"
        )
    if data == -1:
        data = max(len(devices) // (fsdp * tensor), 1)
    shape = (data, fsdp, tensor)
    if math.prod(shape) != len(devices):
        raise MeshError(
            f"mesh data={data} x fsdp={fsdp} x tensor={tensor} needs {math.prod(shape)} devices, "
            f"there are {len(devices)}; change config.mesh"
        )
    slices = len({getattr(device, "slice_index", 0) for device in devices})
    if slices > 1 and data % slices:
        raise MeshError(f"mesh data={data} is not divisible by the {slices} slices of the pod")
    return Mesh(_arrange(shape, slices, devices), AXES, axis_types=(AxisType.Auto,) * len(AXES))


def _arrange(shape: tuple[int, int, int], slices: int, devices: list[Any]) -> np.ndarray:
    if slices > 1:
        within = (shape[0] // slices, *shape[1:])
        return mesh_utils.create_hybrid_device_mesh(within, (slices, 1, 1), devices)
    return mesh_utils.create_device_mesh(shape, devices, allow_split_physical_axes=True)


def batch_shards(mesh: Mesh | AbstractMesh) -> int:
    """Into how many parts the batch dimension is cut on this mesh."""
    return math.prod(mesh.shape[axis] for axis in BATCH_AXES)


def check_batch_size(batch_size: int, mesh: Mesh) -> None:
    """Raise a MeshError naming both numbers when the mesh does not divide the global batch."""
    shards = batch_shards(mesh)
    if batch_size < 1 or batch_size % shards:
        raise MeshError(
            f"batch size {batch_size} is not divisible by the {shards} batch shards of the mesh "
            f"(data={mesh.shape['data']} x fsdp={mesh.shape['fsdp']}); change "
            "config.train.batch_size or config.mesh"
        )


def check_sequences(batch_size: int, mesh: Mesh) -> None:
    """Raise a MeshError when the mesh does not divide the batch's places for sequences.

    A sequence has two studies at least, so a batch has half as many places for sequences as rows.
    """
    shards = batch_shards(mesh)
    if batch_size % (2 * shards):
        raise MeshError(
            f"batch size {batch_size} leaves {batch_size / shards:g} rows to each of the {shards} "
            "batch shards of the mesh; systems that read sequences need an even number: change "
            "config.train.batch_size or config.mesh"
        )
