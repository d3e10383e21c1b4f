# SPDX-License-Identifier: Apache-2.0
"""Compiling for described devices: the program and its memory, or by how much it does not fit."""

import contextlib
import dataclasses
import functools
import re
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from medst_jax.plan.described_cudnn import answering_for
from medst_jax.plan.gpu_memory import memory_fraction
from medst_jax.plan.gpu_topology import COMPILER_OPTIONS
from medst_jax.plan.gpus import Gpu
from medst_jax.plan.topology import Topology

_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_SIZE = r"([0-9.]+)([KMGT]?)"
_USED = re.compile(rf"(?:Used|temporaries \(|usage:?) ?{_SIZE}")
_AVAILABLE = re.compile(rf"(?:available HBM \(|of ){_SIZE}")


@dataclasses.dataclass(frozen=True)
class Memory:
    """Bytes of HBM of one device, the compiler's figures.

    `temporaries` and `peak` of a program that does not fit on a TPU are what it would need, to the
    three digits the compiler prints; `temporaries` is then 0, as the compiler gives only the sum.
    `device` is the whole memory where `capacity` is a share of it, as on GPUs.
    """

    capacity: int
    arguments: int
    temporaries: int
    peak: int
    fits: bool
    device: int | None = None


@dataclasses.dataclass(frozen=True)
class Compiled:
    """A compilation: `text` of the module, empty when it does not fit; wall time."""

    memory: Memory
    text: str
    seconds: float


def compile_for(topology: Topology, lower: Callable[[], Any], arguments: int) -> Compiled:
    """Compile what `lower()` gives.

    Args:
      topology: whose devices the lowered program is for.
      lower: returns a `jax.stages.Lowered`.
      arguments: bytes per device of the program's arguments, for a program that does not fit.

    Raises:
      RuntimeError: the compiler failed for another reason than memory.
    """
    capacity = hbm_capacity(topology)
    chip = topology.chip
    options = dict(COMPILER_OPTIONS) if isinstance(chip, Gpu) else None
    with answering_for(chip) if isinstance(chip, Gpu) else contextlib.nullcontext():
        lowered = lower()
        began = time.perf_counter()
        try:
            compiled = lowered.compile(compiler_options=options)
        except jax.errors.JaxRuntimeError as error:
            needed = needed_bytes(str(error))
            if needed is None:
                raise
            memory = Memory(capacity, arguments, 0, needed, fits=False)
            return Compiled(memory, "", time.perf_counter() - began)
    seconds = time.perf_counter() - began
    analysis = compiled.memory_analysis()
    memory = Memory(
        capacity,
        analysis.argument_size_in_bytes,
        analysis.temp_size_in_bytes,
        analysis.peak_memory_in_bytes,
        # The compiler for TPUs has refused what does not fit; that for GPUs does not know the share.
        fits=analysis.peak_memory_in_bytes <= capacity,
        device=topology.device_memory,
    )
    return Compiled(memory, compiled.as_text(), seconds)


@functools.cache
def hbm_capacity(topology: Topology) -> int:
    """Usable HBM of a device: of a GPU the share that JAX allocates, else what the compiler says."""
    if isinstance(topology.chip, Gpu):
        return int(topology.chip.memory * memory_fraction())
    # From the compiler's refusal of an array that no chip can hold.
    # No API tells the capacity of a described device. 1 TiB fits none, and the refusal names it.
    everywhere = NamedSharding(Mesh([topology.devices[0]], ("x",)), P())
    huge = jax.ShapeDtypeStruct((2**38,), jnp.float32, sharding=everywhere)
    try:
        jax.jit(lambda x: x * 2).lower(huge).compile()
    except jax.errors.JaxRuntimeError as error:
        match = _AVAILABLE.search(str(error))
        if match:
            return _bytes(match)
        raise
    raise RuntimeError(f"the compiler found room for 2 TiB on one {topology.chip.kind}")


def needed_bytes(message: str) -> int | None:
    """HBM that an out-of-memory message says the program needs; None for another message.

    >>> needed_bytes("RESOURCE_EXHAUSTED: ... Used 21.5G of 15.75G hbm.")
    23085449216
    """
    if "RESOURCE_EXHAUSTED" not in message:
        return None
    match = _USED.search(message)
    return _bytes(match) if match else None


def _bytes(match: re.Match[str]) -> int:
    return int(float(match[1]) * _UNITS[match[2]])
