# SPDX-License-Identifier: Apache-2.0
"""Nodes of NVIDIA GPUs described to the compiler: no GPU, no driver."""

import importlib.metadata
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from typing import Any

from medst_jax.plan.gpus import Gpu, target_config

# A cuDNN or Triton kernel is chosen by timing candidates on a device; without one, the libraries' own choice stands.
COMPILER_OPTIONS: Mapping[str, Any] = {
    "xla_gpu_autotune_level": 0,
    "xla_gpu_enable_triton_gemm": False,
}
PLUGINS = ("jax-cuda13-plugin", "jax-cuda12-plugin")


def split_shape(shape: str) -> tuple[int, int] | None:
    """Nodes and GPUs of each, of "8" or "2x8"; None for anything else.

    >>> split_shape("8"), split_shape("2x8"), split_shape("2x2x2"), split_shape("0")
    ((1, 8), (2, 8), None, None)
    """
    match = re.fullmatch(r"(?:([1-9]\d*)x)?([1-9]\d*)", shape)
    return (int(match[1] or 1), int(match[2])) if match else None


def described_gpus(gpu: Gpu, nodes: int, per_node: int) -> tuple[Any, ...]:
    """Compile-only devices, those of a node side by side.

    Raises:
      Exception: what JAX raises where its CUDA plugin is missing or takes the description for wrong.
    """
    from jax.experimental import topologies

    description = topologies.get_topology_desc(
        platform="cuda",
        target_config=target_config(gpu),
        # Slices, nodes of a slice, GPUs of a node.
        topology=f"1x{nodes}x{per_node}",
    )
    return tuple(description.devices)


def missing_parts() -> Iterator[str]:
    """What a compilation for GPUs needs and this environment lacks."""
    installed = {d.metadata["Name"].lower() for d in importlib.metadata.distributions()}
    if not installed.intersection(PLUGINS):
        yield PLUGINS[0]
    toolkit = os.environ.get("CUDA_HOME", "/usr/local/cuda")
    wheels = {"nvidia-cuda-nvcc", "nvidia-cuda-nvcc-cu12"}
    if not (installed & wheels or shutil.which("ptxas") or os.path.exists(f"{toolkit}/bin/ptxas")):
        yield "nvidia-cuda-nvcc (ptxas, the assembler)"
