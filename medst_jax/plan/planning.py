# SPDX-License-Identifier: Apache-2.0
"""A plan: the real train step of a configuration, compiled for a topology and read."""

import contextlib
import dataclasses
import importlib.metadata
from collections.abc import Iterable, Mapping
from typing import Any

from medst_jax.plan.collectives import collectives, summary
from medst_jax.plan.compile import Memory, compile_for
from medst_jax.plan.compiler_version import mismatch
from medst_jax.plan.estimate import Estimate, estimate, program_seconds
from medst_jax.plan.gpu_memory import SETTING, smallest_fraction
from medst_jax.plan.gpu_topology import PLUGINS
from medst_jax.plan.gpus import Gpu
from medst_jax.plan.hlo import parse_module
from medst_jax.plan.topology import Topology
from medst_jax.plan.workload import Workload, make_workload, sizes_of

_PACKAGES = ("medst_jax", "jax", "jaxlib", "flax", "optax")
_COMPILERS = {"gpu": (*PLUGINS, "nvidia-cuda-nvcc"), "tpu": ("libtpu",)}


@dataclasses.dataclass(frozen=True)
class Run:
    """What the estimate means for the configuration's whole run; `low` is the faster case of time
    and the slower one of a rate."""

    steps: int
    hours_low: float
    hours_high: float
    chip_hours_low: float
    chip_hours_high: float
    examples_per_second_per_chip_low: float
    examples_per_second_per_chip_high: float
    examples_per_second_per_host: float


@dataclasses.dataclass(frozen=True)
class Plan:
    """Everything known about a configuration on a topology before it runs.

    Attributes:
      topology: the devices.
      workload: the step and its batch.
      per_chip_batch: examples per chip.
      memory: of a device.
      flops: model FLOPs per example, "total" and by encoder.
      collectives: by kind and network.
      estimate: None when the program does not fit.
      run: likewise.
      remedy: what to try when it does not fit, else "".
      compile_seconds: wall time.
      versions: of the packages that decide the answer.
      notes: assumptions.
      text: of the compiled module.
    """

    topology: Topology
    workload: Workload
    per_chip_batch: int
    memory: Memory
    flops: Mapping[str, float]
    collectives: list[dict[str, str | int]]
    estimate: Estimate | None
    run: Run | None
    remedy: str
    compile_seconds: float
    versions: Mapping[str, str]
    notes: tuple[str, ...]
    text: str


def make_plan(
    config: Mapping[str, Any], topology: Topology, per_chip_batch: int | None = None
) -> Plan:
    """Compile a configuration's train step for a topology and read the result.

    Args:
      config: the full configuration, `check_sections` passed.
      topology: the devices.
      per_chip_batch: examples per chip; the configuration's global batch by default.

    Raises:
      ValueError: an option, or a mesh or batch that the topology does not fit.
    """
    sizes = sizes_of(config)
    workload = make_workload(config, topology, sizes, per_chip_batch)
    compiled = compile_for(topology, workload.lower, workload.argument_bytes)
    flops, notes = workload.flops_per_example(), [*sizes.notes]
    kind = "gpu" if isinstance(topology.chip, Gpu) else "tpu"
    if kind == "tpu" and (other_compiler := mismatch()):
        notes.append(other_compiler)
    rows, chips = workload.assembly.options.batch_size, topology.chips
    times: Estimate | None = None
    run: Run | None = None
    collective_rows: list[dict[str, str | int]] = []
    remedy = ""
    if compiled.memory.fits:
        module = parse_module(compiled.text)
        devices = list(workload.assembly.step.mesh.devices.flat)
        nodes = [device.process_index for device in devices] if kind == "gpu" else None
        operations = collectives(module, len(devices), topology.slices, nodes)
        compute, cost_notes = program_seconds(module, topology)
        times = estimate(
            compute, operations, devices, topology, flops["total"] * rows / len(devices)
        )
        run, collective_rows = _run(workload, times, topology), summary(operations)
        notes += cost_notes
    else:
        remedy = _remedy(workload, compiled.memory, topology)
    return Plan(
        topology,
        workload,
        rows // chips,
        compiled.memory,
        flops,
        collective_rows,
        times,
        run,
        remedy,
        compiled.seconds,
        _versions((*_PACKAGES, *_COMPILERS[kind])),
        tuple(notes),
        compiled.text,
    )


def _versions(names: Iterable[str]) -> dict[str, str]:
    """Of those that are installed."""
    installed = {}
    for name in names:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            installed[name] = importlib.metadata.version(name)
    return installed


def _run(workload: Workload, times: Estimate, topology: Topology) -> Run:
    options = workload.assembly.options
    low, high = (
        s * options.steps / 3600 for s in (times.step_seconds_low, times.step_seconds_high)
    )
    fastest = options.batch_size / times.step_seconds_low
    return Run(
        options.steps,
        low,
        high,
        low * topology.chips,
        high * topology.chips,
        options.batch_size / times.step_seconds_high / topology.chips,
        fastest / topology.chips,
        fastest / topology.hosts,
    )


def _remedy(workload: Workload, memory: Memory, topology: Topology) -> str:
    """What saves memory where it is spent."""
    gib, chips = 2**30, topology.chips
    advice = [f"needs {memory.peak / gib:.1f} of {memory.capacity / gib:.2f} GiB"]
    if memory.device is not None and (fraction := smallest_fraction(memory.peak, memory.device)):
        advice.append(
            f"try {SETTING}={fraction:.2f}, which takes more of {memory.device / gib:.1f} GiB"
        )
    mesh = workload.assembly.step.mesh.shape
    # Sharding the state helps where the state is large, recomputing where activations are.
    if mesh["fsdp"] == 1 and memory.arguments > memory.capacity / 8 and chips > 1:
        shards = min(4, chips)
        advice.append(f"try --config.mesh.fsdp={shards} --config.rules=fsdp")
    without_remat = [
        part for part, by in workload.assembly.execution.items() if by.get("remat") == "none"
    ]
    if without_remat:
        parts = " and ".join(f"config.system.{part}" for part in without_remat)
        advice.append(f"try remat='full' in {parts}")
    rows = workload.assembly.options.batch_size // chips
    # What one recomputed layer holds at a time is left then, and slices cut it.
    if memory.peak - memory.arguments > memory.capacity / 2:
        at_a_time = rows // workload.assembly.options.micro_batches
        finer = [
            f"--config.system.{part}.slices={2 * by['slices']}"
            for part, by in workload.assembly.execution.items()
            if by.get("remat", "none") != "none"
            and "slices" in by
            and at_a_time % (2 * by["slices"]) == 0
        ]
        if finer:
            advice.append(f"try {' '.join(finer)}")
    if rows > 1:
        advice.append(f"try --per_chip_batch={rows // 2}, or --fit for the largest that fits")
    return "; ".join(advice)
