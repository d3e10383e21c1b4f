# SPDX-License-Identifier: Apache-2.0
"""Topologies, memory and whole plans by the TPU compiler itself."""

import importlib
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from medst_jax.parallel import MeshError, make_mesh
from medst_jax.plan.compile import compile_for, hbm_capacity, needed_bytes
from medst_jax.plan.planning import make_plan
from medst_jax.plan.report import to_json, to_text
from medst_jax.plan.topology import TopologyError, describe
from medst_jax.plan.workload import make_workload, sizes_of
from tests.plan.requirements import needs_libtpu

GIB = 2**30


@needs_libtpu
@pytest.mark.parametrize(
    ("name", "slices", "devices", "chips", "hosts"),
    [
        ("v5e:4x4", 1, 16, 16, 4),
        ("v5e:2x2", 2, 8, 8, 2),
        ("v5e:16x16", 1, 256, 256, 64),
        ("v4:2x2x2", 1, 8, 8, 2),
        ("v5p:2x2x2", 1, 8, 8, 2),
        ("v6e:4x4", 1, 16, 16, 4),
        ("7x:2x2x1", 1, 8, 4, 1),
    ],
)
def test_topologies(name, slices, devices, chips, hosts):
    topology = describe(name, slices)
    assert (len(topology.devices), topology.chips, topology.hosts) == (devices, chips, hosts)
    assert {d.device_kind for d in topology.devices} == {topology.chip.kind}


def test_unknown_chips_are_named():
    with pytest.raises(TopologyError, match="'v9:2x2'; .* v5e"):
        describe("v9:2x2")
    with pytest.raises(TopologyError, match="give chip:shape"):
        describe("v5e")


@needs_libtpu
def test_shapes_that_no_pod_has_are_named():
    with pytest.raises(TopologyError, match="--topology=v5e:3x5"):
        describe("v5e:3x5")


@needs_libtpu
def test_only_data_crosses_slices():
    mesh = make_mesh(-1, 2, 2, devices=describe("v5e:2x2", 2).devices)
    assert dict(mesh.shape) == {"data": 2, "fsdp": 2, "tensor": 2}
    of = np.vectorize(lambda device: device.slice_index)(mesh.devices)
    assert (of == of[:, :1, :1]).all() and of[:, 0, 0].tolist() == [0, 1]
    with pytest.raises(MeshError, match="not divisible by the 2 slices"):
        make_mesh(1, 4, 2, devices=describe("v5e:2x2", 2).devices)


def test_out_of_memory_messages():
    message = (
        "RESOURCE_EXHAUSTED: Ran out of memory on HBM, the total memory required for HLO "
        "temporaries (2.00T) exceeds available HBM (15.75G)."
    )
    assert needed_bytes(message) == 2 * 2**40
    used = "RESOURCE_EXHAUSTED: XLA:TPU compile permanent error. Used 21.90G of 15.75G hbm."
    assert needed_bytes(used) == int(21.9 * GIB)
    assert needed_bytes("INVALID_ARGUMENT: Used 3G of something") is None


@needs_libtpu
def test_fits_is_the_compilers_answer():
    topology = describe("v5e:2x2")
    assert hbm_capacity(topology) == int(15.75 * GIB)
    mesh = make_mesh(devices=topology.devices)

    def compiled(rows: int):
        x = jax.ShapeDtypeStruct((rows, 1024), jnp.float32, sharding=NamedSharding(mesh, P("data")))
        step = jax.jit(lambda x: jnp.sort(x, axis=1) @ x.T @ x)
        return compile_for(topology, lambda: step.lower(x), rows * 1024)

    small, large = compiled(2**12), compiled(2**22)
    assert small.memory.fits and small.text.startswith("HloModule")
    assert 0 < small.memory.arguments < small.memory.peak < small.memory.capacity
    assert not large.memory.fits and large.memory.peak > large.memory.capacity and not large.text


def _config(name: str, variant: str | None = None, **mesh):
    config = importlib.import_module(f"medst_jax.configs.{name}").get_config(variant).to_dict()
    config = json.loads(json.dumps(config))
    config["data"]["data_dir"] = "/nowhere"
    return config | mesh


@needs_libtpu
@pytest.mark.parametrize("fsdp", [1, 4, 16])
def test_state_per_chip_falls_with_chips_whatever_the_rules_leave_whole(fsdp):
    def large(topology):
        config = _config("siglip_b16", rules="fsdp", mesh={"fsdp": fsdp})
        assembly = make_workload(config, describe(topology), sizes_of(config), 8).assembly
        leaves = jax.tree.leaves(assembly.step.abstract)
        return [leaf for leaf in leaves if leaf.size > 100_000]

    for topology, chips in (("v5e:4x4", 16), ("v5e:16x16", 256)):
        for leaf in large(topology):
            assert np.prod(leaf.sharding.shard_shape(leaf.shape)) * chips == leaf.size, leaf


@needs_libtpu
@pytest.mark.slow
def test_a_plan_as_json_and_table():
    plan = make_plan(_config("siglip_b16", "tiny"), describe("v5e:2x2"), 8)
    values = json.loads(json.dumps(to_json(plan)))
    assert values["fits"] and values["chips"] == 4 and values["per_chip_batch"] == 8
    assert values["hbm"]["peak_bytes"] < values["hbm"]["capacity_bytes"] == int(15.75 * GIB)
    kinds = {(c["kind"], c["network"]) for c in values["collectives"]}
    assert ("all-reduce", "ici") in kinds and not any(network == "dcn" for _, network in kinds)
    estimate = values["estimate"]
    assert 0 < estimate["step_seconds_low"] <= estimate["step_seconds_high"]
    assert 0 < estimate["mfu_low"] <= estimate["mfu_high"] < 1
    assert "not measurements" in values["notes"][-1]
    text = to_text(plan)
    for said in ("v5e:2x2", "MFU", "examples per second per chip", "chip hours", "ICI, DCN"):
        assert said in text


def _estimate(per_chip: int, fsdp: int, slices: int = 1):
    """siglip_b16 on v5e:4x4; layers are scanned, so that it compiles soon."""
    config = _config("siglip_b16", rules="fsdp", mesh={"fsdp": fsdp})
    for tower in ("image", "text"):
        config["system"][tower] |= {"remat": "full", "slices": min(8, per_chip)}
    return make_plan(config, describe("v5e:4x4", slices), per_chip).estimate


@needs_libtpu
@pytest.mark.slow
def test_at_a_small_batch_gathers_of_parameters_and_slices_cost_time():
    """At one example per chip the exchange takes longer than the computation."""
    whole, cut, slices = _estimate(1, 1), _estimate(1, 16), _estimate(1, 1, slices=2)
    assert whole.compute_seconds < whole.ici_seconds < cut.ici_seconds
    assert whole.dcn_seconds == cut.dcn_seconds == 0.0 < slices.dcn_seconds
    for dearer in (cut, slices):
        assert whole.step_seconds_low < dearer.step_seconds_low
        assert whole.step_seconds_high < dearer.step_seconds_high
