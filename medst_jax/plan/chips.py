# SPDX-License-Identifier: Apache-2.0
"""What each TPU generation can do: the one table that every estimate reads."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Chip:
    """Figures of one device, which is one chip except where `devices_per_chip` says otherwise.

    Attributes:
      kind: how JAX names the device.
      peak_flops: bfloat16, per second, multiply and add counted apart.
      macs_per_cycle: multiply-accumulates of all matrix units in one cycle.
      hbm_bandwidth: bytes per second.
      link_bandwidth: of one inter-chip link in one direction, bytes per second.
      wraps_at: a torus dimension closes into a ring when its length is a multiple of this.
      host_network: to other slices, bytes per second of one host in one direction.
      devices_per_chip: 2 where each core is a device of its own.
      described_as: the topology's `chip_config_name`, where two cores can act as one device.
    """

    kind: str
    peak_flops: float
    macs_per_cycle: int
    hbm_bandwidth: float
    link_bandwidth: float
    wraps_at: int
    host_network: float = 2.5e10
    devices_per_chip: int = 1
    described_as: str | None = None

    @property
    def clock(self) -> float:
        """Cycles per second, derived: peak FLOPs over the FLOPs of a cycle (v5e: 1.50 GHz)."""
        return self.peak_flops / (2 * self.macs_per_cycle)


_SMALL, _LARGE = 128 * 128, 256 * 256

# Peak, HBM and links: "How to Scale Your Model" (jax-ml.github.io/scaling-book), chapter on TPUs,
# links at the lower of its measured figures; tpu7x: Google Cloud's documentation. Matrix units:
# 4 (v5e), 8 (v4, v5p) of 128 x 128; 4 (v6e, each tpu7x device) of 256 x 256.
CHIPS: dict[str, Chip] = {
    "v4": Chip("TPU v4", 2.75e14, 8 * _SMALL, 1.2e12, 4.5e10, 4, described_as="megacore"),
    "v5e": Chip("TPU v5 lite", 1.97e14, 4 * _SMALL, 8.1e11, 4.5e10, 16),
    "v5p": Chip("TPU v5", 4.59e14, 8 * _SMALL, 2.8e12, 9.0e10, 4),
    "v6e": Chip("TPU v6 lite", 9.2e14, 4 * _LARGE, 1.6e12, 9.0e10, 16),
    "tpu7x": Chip("TPU7x", 1.153e15, 4 * _LARGE, 3.7e12, 9.0e10, 4, devices_per_chip=2),
}
# Other names of the same chips.
ALIASES = {"7x": "tpu7x", "v7x": "tpu7x", "v5": "v5p"}
