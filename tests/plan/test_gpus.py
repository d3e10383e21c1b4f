# SPDX-License-Identifier: Apache-2.0
"""Descriptions of GPUs, what of their memory a program may use, and plans for them."""

import dataclasses
import importlib
import json
import re

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from medst_jax.parallel import make_mesh
from medst_jax.plan import compiler_version
from medst_jax.plan.compile import compile_for, hbm_capacity
from medst_jax.plan.gpu_memory import VARIABLES, memory_fraction, smallest_fraction
from medst_jax.plan.gpus import GPUS, target_config
from medst_jax.plan.planning import make_plan
from medst_jax.plan.report import to_json, to_text
from medst_jax.plan.topology import Topology, TopologyError, describe
from tests.plan.requirements import needs_gpu_compiler

GIB = 2**30


@pytest.mark.parametrize("name", GPUS)
def test_the_compilers_description_says_what_the_table_says(name):
    gpu, text = GPUS[name], target_config(GPUS[name])
    told = {k: v.strip('"') for k, v in re.findall(r"(\w+): (\"[^\"]*\"|\S+)", text)}
    assert told["device_memory_size"] == str(gpu.memory)
    assert told["core_count"] == str(gpu.cores)
    assert told["memory_bandwidth"] == str(int(gpu.memory_bandwidth))
    assert told["device_description_str"] == gpu.kind
    assert text.count("{") == text.count("}")


def test_peaks_are_those_of_the_cores():
    """FLOPs of a core in a cycle are a power of two at about the clock under load."""
    for name, per_cycle in (("a100", 2048), ("h100", 4096), ("h200", 4096), ("b200", 8192)):
        gpu = GPUS[name]
        clock = gpu.peak_flops / gpu.cores / per_cycle / 1e9
        assert 0.9 * gpu.clock_ghz < clock <= 1.001 * gpu.clock_ghz, name


@pytest.mark.parametrize("name", ["h100:2x2x2", "h100:0", "h100:0x8"])
def test_shapes_that_are_no_nodes_are_named(name):
    with pytest.raises(TopologyError, match=f"--topology={name}: .*h100:2x8"):
        describe(name)


def test_slices_of_gpus_are_nodes():
    with pytest.raises(TopologyError, match=r"--topology=h100:8 --num_slices=2: .*h100:2x8"):
        describe("h100:8", 2)


def test_unknown_gpus_are_named():
    with pytest.raises(TopologyError, match=r"'l4:8'; .*h100:8.* a100, h100, h200, b200"):
        describe("l4:8")


def test_a_plugin_of_another_version_is_named(monkeypatch):
    versions = {"jaxlib": "0.10.2", "jax-cuda13-plugin": "0.12.0.1"}

    def version(name):
        if name not in versions:
            raise importlib.metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(compiler_version.importlib.metadata, "version", version)
    said = compiler_version.plugin_mismatch()
    assert "0.12.0.1" in said and "pip install jax-cuda13-plugin==0.10.2" in said
    versions["jax-cuda13-plugin"] = "0.10.2"
    assert compiler_version.plugin_mismatch() == ""


def test_the_share_of_memory_is_that_of_the_environment():
    new, old = VARIABLES
    assert memory_fraction({}) == 0.75
    assert memory_fraction({old: ".9"}) == memory_fraction({new: "0.9"}) == 0.9
    with pytest.raises(ValueError, match="both set"):
        memory_fraction({new: ".9", old: ".9"})
    for text in ("90%", "0", "1.5"):
        with pytest.raises(ValueError, match=f"{new} is '{text}'"):
            memory_fraction({new: text})


def test_the_least_share_that_fits():
    device = GPUS["h100"].memory
    assert smallest_fraction(int(59.9 * GIB), device) == 0.76
    assert smallest_fraction(int(0.95 * device), device) == 0.95
    assert smallest_fraction(int(0.951 * device), device) is None


def _described(monkeypatch, fraction: str) -> Topology:
    """One H100 whose programs get that share; under a name of its own, for capacities are kept."""
    monkeypatch.setenv(VARIABLES[1], fraction)
    return dataclasses.replace(describe("h100:1"), name=f"h100:1 {fraction}")


@needs_gpu_compiler
@pytest.mark.parametrize(
    ("name", "devices", "hosts"),
    [("a100:8", 8, 1), ("h100:8", 8, 1), ("h200:1", 1, 1), ("b200:8", 8, 1), ("h100:2x8", 16, 2)],
)
def test_topologies(name, devices, hosts):
    topology = describe(name)
    assert (len(topology.devices), topology.chips, topology.hosts) == (devices, devices, hosts)
    assert {d.device_kind for d in topology.devices} == {topology.chip.kind}
    assert topology.slices == 1 and topology.device_memory == topology.chip.memory


@needs_gpu_compiler
def test_fits_is_a_matter_of_the_share(monkeypatch):
    def compiled(topology, rows):
        mesh = make_mesh(devices=topology.devices)
        x = jax.ShapeDtypeStruct((rows, rows), jnp.float32, sharding=NamedSharding(mesh, P("data")))
        step = jax.jit(lambda x: jnp.sort(x, axis=1) @ x)
        memory = compile_for(topology, lambda: step.lower(x), 4 * rows**2).memory
        assert memory.peak > 2 * 4 * rows**2 and memory.device == GPUS["h100"].memory
        return memory

    usual = _described(monkeypatch, "0.75")
    assert hbm_capacity(usual) == int(0.75 * GPUS["h100"].memory)
    assert compiled(usual, 2**12).fits
    # Not the same shape twice: a stored program cannot be read again without a device.
    little = compiled(_described(monkeypatch, "0.001"), 2**13)
    assert not little.fits and little.capacity < little.peak < GPUS["h100"].memory


def _config(name: str, variant: str | None = None):
    config = importlib.import_module(f"medst_jax.configs.{name}").get_config(variant).to_dict()
    config = json.loads(json.dumps(config))
    config["data"]["data_dir"] = "/nowhere"
    return config


@needs_gpu_compiler
@pytest.mark.slow
def test_a_plan_as_json_and_table(monkeypatch):
    plan = make_plan(_config("siglip_b16", "tiny"), describe("h100:2x2"), 8)
    values = json.loads(json.dumps(to_json(plan)))
    assert values["fits"] and values["chips"] == 4 and values["per_chip_batch"] == 8
    hbm = values["hbm"]
    assert hbm["capacity_bytes"] == int(0.75 * hbm["device_bytes"])
    assert 0 < hbm["arguments_bytes"] < hbm["peak_bytes"] < hbm["capacity_bytes"]
    assert hbm["memory_fraction"] == 0.75 and 0 < hbm["smallest_memory_fraction"] <= 0.01
    kinds = {(c["kind"], c["network"]) for c in values["collectives"]}
    assert ("all-reduce", "dcn") in kinds  # gradients of both nodes
    estimate = values["estimate"]
    assert estimate["dcn_seconds"] > 0 < estimate["compute_seconds"]
    assert estimate["step_seconds_low"] <= estimate["step_seconds_high"]
    assert 0 < estimate["mfu_low"] <= estimate["mfu_high"] < 1
    assert "roofline" in values["notes"][-1]
    text = to_text(plan)
    for said in ("h100:2x2", "NVLink, InfiniBand", "XLA_PYTHON_CLIENT_MEM_FRACTION=0.01", "0.75"):
        assert said in text
