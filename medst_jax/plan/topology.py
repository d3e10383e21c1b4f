# SPDX-License-Identifier: Apache-2.0
"""TPU topologies described to the compiler: no TPU, no credentials, no network."""

import dataclasses
import functools
import logging
import os
import re
from typing import Any

from medst_jax.plan.chips import ALIASES, CHIPS, Chip
from medst_jax.plan.compiler_version import mismatch

_LOG = logging.getLogger(__name__)

# A host without a TPU: no waiting for a metadata server, several planners at once, no TPU backend.
_ENVIRONMENT = {
    "JAX_PLATFORMS": "cpu",
    "TPU_SKIP_MDS_QUERY": "1",
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
}


class TopologyError(ValueError):
    """A topology that does not exist, or a machine that cannot describe one."""


@dataclasses.dataclass(frozen=True)
class Topology:
    """Devices to compile for.

    Attributes:
      name: as given, for example "v5e:4x4".
      chip: figures of a device.
      devices: described devices of all slices.
      slices: pods joined by the data-centre network.
    """

    name: str
    chip: Chip
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


def prepare_environment() -> None:
    """Set what describing a TPU needs; call before JAX starts a backend."""
    for name, value in _ENVIRONMENT.items():
        os.environ[name] = value


@functools.cache
def describe(name: str, slices: int = 1) -> Topology:
    """The devices of a topology such as "v5e:4x4" or "v5p:2x2x4", `slices` times over.

    Raises:
      TopologyError: an unknown chip, a shape that the compiler refuses, or libtpu is missing.
    """
    match = re.fullmatch(r"(\w+):(\d+(?:x\d+){0,2})", name)
    family = ALIASES.get(match[1], match[1]) if match else ""
    if match is None or family not in CHIPS:
        raise TopologyError(
            f"--topology is {name!r}; give chip:shape, for example v5e:4x4 or v5p:2x2x4, with one "
            f"of {', '.join(CHIPS)}"
        )
    chip, shape = CHIPS[family], match[2]
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
