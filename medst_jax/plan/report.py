# SPDX-License-Identifier: Apache-2.0
"""A plan as a table for people and as JSON."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from medst_jax.plan.compile import Memory
from medst_jax.plan.encoders import EncoderPlan
from medst_jax.plan.gpu_memory import SETTING, smallest_fraction
from medst_jax.plan.planning import Plan
from medst_jax.train.execution import describe

GIB = 2**30


def to_json(plan: Plan) -> dict[str, Any]:
    """Plain values; `estimate` and `run` are None when the program does not fit."""
    memory = plan.memory
    return {
        "topology": plan.topology.name,
        "slices": plan.topology.slices,
        "chip": plan.topology.chip.kind,
        "chips": plan.topology.chips,
        "mesh": dict(plan.workload.assembly.step.mesh.shape),
        "rules": plan.workload.assembly.rules,
        "execution": plan.workload.assembly.execution,
        "per_chip_batch": plan.per_chip_batch,
        "parameters": plan.workload.parameters,
        "fits": memory.fits,
        "hbm": {
            "capacity_bytes": memory.capacity,
            "arguments_bytes": memory.arguments,
            "temporaries_bytes": memory.temporaries,
            "peak_bytes": memory.peak,
            **_share(memory),
        },
        "flops_per_example": plan.flops["total"],
        "flops_per_example_by_encoder": {k: v for k, v in plan.flops.items() if k != "total"},
        "collectives": plan.collectives,
        "estimate": dataclasses.asdict(plan.estimate) if plan.estimate else None,
        "run": dataclasses.asdict(plan.run) if plan.run else None,
        "remedy": plan.remedy,
        "compile_seconds": plan.compile_seconds,
        "versions": plan.versions,
        "notes": list(plan.notes),
    }


def to_text(plan: Plan) -> str:
    """Lines of a table."""
    memory, topology, assembly = plan.memory, plan.topology, plan.workload.assembly
    sizes = " x ".join(f"{axis}={size}" for axis, size in assembly.step.mesh.shape.items())
    rows = [
        (
            "topology",
            f"{_slices(plan)}{topology.name}, {topology.chips} chips ({topology.chip.kind})",
        ),
        ("mesh", f"{sizes}, rules {assembly.rules}"),
        *(
            [("layers", describe(assembly.step.platform, assembly.execution))]
            if assembly.execution
            else []
        ),
        ("batch", f"{plan.per_chip_batch} per chip, {assembly.options.batch_size:,} in all"),
        ("parameters", f"{plan.workload.parameters:,}"),
        ("HBM per device", _memory(plan.memory)),
        *([("memory of a GPU", _setting(memory))] if memory.device else []),
        ("model FLOPs per example", _flops(plan)),
        ("compiled in", f"{plan.compile_seconds:.1f} s"),
    ]
    if not memory.fits:
        rows.append(("does not fit", plan.remedy))
    for entry in plan.collectives:
        name = f"{entry['kind']} ({topology.networks[str(entry['network'])]})"
        rows.append(
            (name, f"{entry['count']} per step, {int(entry['bytes']) / 2**20:,.1f} MiB sent")
        )
    if plan.estimate and plan.run:
        e, run, (near, far) = plan.estimate, plan.run, topology.networks.values()
        rows += [
            (
                "compute",
                f"{e.compute_seconds * 1e3:.2f} ms, {_per_example(plan):.3f} ms per example",
            ),
            (f"{near}, {far}", f"{e.ici_seconds * 1e3:.2f} ms, {e.dcn_seconds * 1e3:.2f} ms"),
            (f"{near} with nothing beside it", f"{e.ici_blocking_seconds * 1e3:.2f} ms"),
            ("step", f"{e.step_seconds_low * 1e3:.2f} to {e.step_seconds_high * 1e3:.2f} ms"),
            ("MFU", f"{e.mfu_low:.1%} to {e.mfu_high:.1%}"),
            (
                "examples per second per chip",
                (
                    f"{run.examples_per_second_per_chip_low:.0f} to "
                    f"{run.examples_per_second_per_chip_high:.0f}"
                ),
            ),
            (
                "the whole run",
                (
                    f"{run.steps:,} steps, {run.hours_low:.2f} to {run.hours_high:.2f} hours, "
                    f"{run.chip_hours_low:.0f} to {run.chip_hours_high:.0f} chip hours"
                ),
            ),
            ("input of each host", f"up to {run.examples_per_second_per_host:.0f} examples/s"),
        ]
    width = max(len(name) for name, _ in rows)
    lines = [f"{name.ljust(width)}  {value}" for name, value in rows]
    return "\n".join([*lines, *(f"note: {note}" for note in plan.notes)])


def encoders_to_json(plans: Sequence[EncoderPlan]) -> list[dict[str, Any]]:
    """Plain values; `seconds` and `mfu` are None when the program does not fit."""
    return [dataclasses.asdict(plan) for plan in plans]


def encoders_to_text(plans: Sequence[EncoderPlan]) -> str:
    """A line for each encoder."""
    lines = []
    for plan in plans:
        parts = [f"{plan.parameters:,} parameters", _memory(plan.memory)]
        if plan.seconds is not None and plan.mfu is not None:
            parts.append(f"{plan.seconds * 1e3:.3f} ms per example, MFU {plan.mfu:.1%}")
        parts.append(f"compiled in {plan.compile_seconds:.1f} s")
        lines.append(f"{plan.name:5}  " + "; ".join(parts))
    return "\n".join([*lines, "note: forward and backward pass of each alone, no optimizer"])


def _slices(plan: Plan) -> str:
    return f"{plan.topology.slices} x " if plan.topology.slices > 1 else ""


def _memory(memory: Memory) -> str:
    share = f"peak {memory.peak / GIB:.2f} of {memory.capacity / GIB:.2f} GiB"
    if not memory.fits:
        return f"needs {memory.peak / GIB:.1f} of {memory.capacity / GIB:.2f} GiB"
    return (
        f"{share} ({memory.peak / memory.capacity:.0%}); arguments "
        f"{memory.arguments / GIB:.2f}, temporaries {memory.temporaries / GIB:.2f}"
    )


def _share(memory: Memory) -> dict[str, Any]:
    """Of GPUs, the whole memory, the share of it that JAX takes, and the least that would do."""
    if memory.device is None:
        return {}
    return {
        "device_bytes": memory.device,
        "memory_fraction": round(memory.capacity / memory.device, 4),
        "smallest_memory_fraction": smallest_fraction(memory.peak, memory.device),
    }


def _setting(memory: Memory) -> str:
    assert memory.device is not None
    taken = (
        f"{memory.device / GIB:.2f} GiB, of which JAX takes {memory.capacity / memory.device:.2f}"
    )
    least = smallest_fraction(memory.peak, memory.device)
    enough = f"{SETTING}={least:.2f} or more fits" if least else f"no {SETTING} fits"
    return f"{taken}; {enough}"


def _flops(plan: Plan) -> str:
    parts = ", ".join(f"{k} {v:.3g}" for k, v in plan.flops.items() if k != "total")
    return f"{plan.flops['total']:.4g} ({parts})"


def _per_example(plan: Plan) -> float:
    assert plan.estimate is not None
    return plan.estimate.compute_seconds / plan.per_chip_batch * 1e3
