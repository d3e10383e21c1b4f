# SPDX-License-Identifier: Apache-2.0
"""Topologies described to the compilers: no TPU, no GPU, no credentials, no network."""

import dataclasses
import functools
import logging
import os
import re
from typing import Any

from medst_jax.plan.chips import ALIASES, CHIPS, Chip
from medst_jax.plan.compiler_version import mismatch, plugin_mismatch
from medst_jax.plan.gpu_memory import memory_fraction
from medst_jax.plan.gpu_topology import described_gpus, missing_parts, split_shape
from medst_jax.plan.gpus import GPUS, Gpu

_LOG = logging.getLogger(__name__)

# A host without accelerators: no waiting for a metadata server, several planners at once, no backend
# but that of the CPU.
_ENVIRONMENT = {
    "JAX_PLATFORMS": "cpu",
    "CUDA_VISIBLE_DEVICES": "-1",
    "TPU_SKIP_MDS_QUERY": "1",
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
}


class TopologyError(ValueError):
    """A topology that does not exist, or a machine that cannot describe one."""


@dataclasses.dataclass(frozen=True)
class Topology:
    """Devices to compile for.

    Attributes:
      name: as given, for example "v5e:4x4" or "h100:8".
      chip: figures of a device.
      devices: described devices of all slices or nodes.
      slices: pods joined by the data-centre network; 1 for GPUs, whose nodes are hosts.
    """

    name: str
    chip: Chip | Gpu
    devices: tuple[Any, ...]
    slices: int

    @property
    def chips(self) -> int:
        """Chips of all slices."""
        return len(self.devices) // self.chip.devices_per_chip

    @property
    def hosts(self) -> int:
        """Machines that the chips are attached to."""
        return len({device.process_index for device in self.devices})

    @property
    def device_memory(self) -> int | None:
        """Bytes of a device's whole memory where a program may use a share of it, as on GPUs."""
        return self.chip.memory if isinstance(self.chip, Gpu) else None

    @property
    def networks(self) -> dict[str, str]:
        """What the networks within and between hosts or slices are called."""
        names = ("NVLink", "InfiniBand") if isinstance(self.chip, Gpu) else ("ICI", "DCN")
        return dict(zip(("ici", "dcn"), names, strict=True))


def prepare_environment() -> None:
    """Set what describing devices needs; call before JAX starts a backend."""
    for name, value in _ENVIRONMENT.items():
        os.environ[name] = value


@functools.cache
def describe(name: str, slices: int = 1) -> Topology:
    """The devices of a topology such as "v5e:4x4", "v5p:2x2x4", "h100:8" or "h100:2x8".

    Args:
      name: of TPUs the chip and the shape of a slice; of GPUs the kind, and nodes x GPUs of each.
      slices: of TPUs, how many of that shape.

    Raises:
      TopologyError: an unknown chip, a shape that the compiler refuses, or no compiler for it.
    """
    match = re.fullmatch(r"(\w+):(\d+(?:x\d+){0,2})", name)
    family = ALIASES.get(match[1], match[1]) if match else ""
    if match is None or family not in CHIPS | GPUS:
        raise TopologyError(
            f"--topology is {name!r}; give chip:shape, for example v5e:4x4 or v5p:2x2x4, with one "
            f"of {', '.join(CHIPS)}, or GPUs of a node as h100:8 and of two nodes as h100:2x8, with "
            f"one of {', '.join(GPUS)}"
        )
    if family in GPUS:
        return _describe_gpus(name, GPUS[family], match[2], slices)
    return _describe_tpus(name, family, match[2], slices)


def _describe_gpus(name: str, gpu: Gpu, shape: str, slices: int) -> Topology:
    nodes = split_shape(shape)
    if nodes is None or slices > 1:
        raise TopologyError(
            f"--topology={name}{f' --num_slices={slices}' if slices > 1 else ''}: nodes of GPUs are "
            "written as nodes x GPUs of each, for example h100:8 or h100:2x8"
        )
    try:
        memory_fraction()
    except ValueError as error:
        raise TopologyError(str(error)) from None
    if missing := list(missing_parts()):
        raise TopologyError(
            f"the compiler for NVIDIA GPUs is not complete, {' and '.join(missing)} missing; "
            "pip install 'medst_jax[plan-gpu]'"
        )
    if other_plugin := plugin_mismatch():
        raise TopologyError(other_plugin)
    try:
        devices = described_gpus(gpu, *nodes)
    except Exception as error:  # JAX raises RuntimeError and its own error types here
        raise TopologyError(f"--topology={name}: {str(error).splitlines()[0]}") from error
    return Topology(name, gpu, devices, 1)


def _describe_tpus(name: str, family: str, shape: str, slices: int) -> Topology:
    chip = CHIPS[family]
    options: dict[str, Any] = {"num_slices": slices} if slices > 1 else {}
    if chip.described_as:
        options["chip_config_name"] = chip.described_as
    # The compiler takes a host to have several chips, unless it is told that there is one.
    if set(shape.split("x")) == {"1"}:
        options["chips_per_host_bounds"] = tuple(int(size) for size in shape.split("x")) + (1,)
        options["chips_per_host_bounds"] = options["chips_per_host_bounds"][:3]
    # Said before the compiler is asked: one of another version may refuse, or end the process.
    if other_compiler := mismatch():
        _LOG.warning("%s", other_compiler)
    from jax.experimental import topologies

    try:
        description = topologies.get_topology_desc(
            platform="tpu", topology_name=f"{family}:{shape}", **options
        )
    except Exception as error:  # JAX raises RuntimeError and its own error types here
        if "libtpu" in str(error).lower():
            raise TopologyError(
                f"the TPU compiler is not available ({str(error).splitlines()[0]}); "
                "pip install 'medst_jax[plan]'"
            ) from error
        raise TopologyError(f"--topology={name}: {str(error).splitlines()[0]}") from error
    return Topology(name, chip, tuple(description.devices), slices)
