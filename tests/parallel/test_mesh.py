# SPDX-License-Identifier: Apache-2.0
"""The mesh: sizes, slices, and refusals that name both numbers."""

import dataclasses

import jax
import numpy as np
import pytest
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as P

from medst_jax.parallel import (
    MeshError,
    batch_shards,
    check_batch_size,
    check_sequences,
    constrain,
    make_mesh,
    put_batch,
)


@dataclasses.dataclass(frozen=True)
class FakeDevice:
    """As much of a device as arranging a mesh looks at."""

    id: int
    slice_index: int = 0
    platform: str = "cpu"
    device_kind: str = "cpu"
    process_index: int = 0


def devices(count: int, slices: int = 1) -> list[FakeDevice]:
    return [FakeDevice(n, n * slices // count) for n in range(count)]


def test_one_device_is_a_mesh_of_one():
    mesh = make_mesh(devices=jax.devices()[:1])
    assert dict(mesh.shape) == {"data": 1, "fsdp": 1, "tensor": 1}
    assert set(mesh.axis_types) == {AxisType.Auto}


@pytest.mark.parametrize(
    ("sizes", "shape"), [((-1, 1, 1), (8, 1, 1)), ((-1, 4, 1), (2, 4, 1)), ((2, 2, 2), (2, 2, 2))]
)
def test_data_takes_what_is_left(sizes, shape):
    mesh = make_mesh(*sizes, devices=devices(8))
    assert mesh.devices.shape == shape
    assert batch_shards(mesh) == shape[0] * shape[1]


def test_only_data_crosses_slices():
    mesh = make_mesh(-1, 2, 2, devices=devices(16, slices=2))
    slice_of = np.vectorize(lambda device: device.slice_index)(mesh.devices)
    assert (slice_of == slice_of[:, :1, :1]).all()
    assert slice_of[:, 0, 0].tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((3, 1, 1), "data=3 x fsdp=1 x tensor=1 needs 3 devices, there are 8"),
        ((-1, 3, 1), "there are 8"),
        ((-1, 0, 1), "at least 1"),
        ((0, 1, 1), "at least 1"),
    ],
)
def test_sizes_that_do_not_fit(sizes, message):
    with pytest.raises(MeshError, match=message):
        make_mesh(*sizes, devices=devices(8))


def test_slices_that_do_not_divide_data():
    with pytest.raises(MeshError, match="data=1 is not divisible by the 2 slices"):
        make_mesh(1, 8, 1, devices=devices(8, slices=2))


def test_batch_size_names_both_numbers():
    mesh = make_mesh(-1, 2, 1, devices=devices(8))
    check_batch_size(16, mesh)
    with pytest.raises(MeshError, match="leaves 3 rows to each of the 8 batch shards"):
        check_sequences(24, mesh)
    check_sequences(16, mesh)
    with pytest.raises(MeshError, match="batch size 12 is not divisible by the 8 batch shards"):
        check_batch_size(12, mesh)


def test_put_batch_keeps_values_and_lays_out_rows():
    mesh = make_mesh(devices=jax.devices()[:1])
    batch = {"x": np.arange(6, dtype=np.float32).reshape(3, 2)}
    placed = put_batch(batch, mesh)["x"]
    np.testing.assert_array_equal(placed, batch["x"])
    assert placed.sharding.spec == P(("data", "fsdp"))


def test_constrain_without_a_mesh_is_nothing():
    x = np.ones((2, 3), np.float32)
    assert constrain(x, ("batch", "no such axis")) is x
