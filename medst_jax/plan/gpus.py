# SPDX-License-Identifier: Apache-2.0
"""What each NVIDIA GPU can do, and what the compiler is told about it: the one table."""

import dataclasses
from typing import ClassVar


@dataclasses.dataclass(frozen=True)
class Gpu:
    """Figures of one GPU of a node in which all are joined by NVLink switches.

    Attributes:
      kind: how JAX names the device.
      capability: compute capability, major and minor.
      peak_flops: bfloat16 without sparsity, per second, multiply and add counted apart.
      memory: bytes of the device, as the driver reports them.
      memory_bandwidth: bytes per second.
      nvlink: to the other GPUs of the node, bytes per second in one direction.
      rail: InfiniBand of one GPU to other nodes, bytes per second in one direction.
      cores: streaming multiprocessors.
      fpus_per_core: float32 units of one.
      clock_ghz: the highest.
      l2_cache: bytes.
      shared_memory_per_core: bytes.
      shared_memory_optin: bytes that one block may ask for.
    """

    kind: str
    capability: tuple[int, int]
    peak_flops: float
    memory: int
    memory_bandwidth: float
    nvlink: float
    rail: float
    cores: int
    fpus_per_core: int
    clock_ghz: float
    l2_cache: int
    shared_memory_per_core: int
    shared_memory_optin: int

    devices_per_chip: ClassVar[int] = 1


# The library that the compiler takes to be there, major and minor.
CUDNN = (9, 10)

# Memory, bandwidth, cores, clocks and caches: OpenXLA, xla/backends/gpu/target_config/specs (a100_sxm_80,
# h100_sxm, h200, b200). Peaks and NVLink: "How to Scale Your Model" (jax-ml.github.io/scaling-book),
# chapter on GPUs, and NVIDIA's data sheets of the four. Rails: DGX A100 has a 200 Gb/s adapter for each GPU, DGX
# H100, H200 and B200 one of 400 Gb/s; other nodes have fewer.
_H100 = Gpu(
    "NVIDIA H100 80GB HBM3",
    (9, 0),
    9.89e14,
    84_942_979_072,
    3.35232e12,
    4.5e11,
    5.0e10,
    cores=132,
    fpus_per_core=128,
    clock_ghz=1.98,
    l2_cache=52_428_800,
    shared_memory_per_core=233_472,
    shared_memory_optin=232_448,
)
GPUS: dict[str, Gpu] = {
    "a100": Gpu(
        "NVIDIA A100-SXM4-80GB",
        (8, 0),
        3.12e14,
        85_100_068_864,
        2.03904e12,
        3.0e11,
        2.5e10,
        cores=108,
        fpus_per_core=64,
        clock_ghz=1.41,
        l2_cache=41_943_040,
        shared_memory_per_core=167_936,
        shared_memory_optin=166_912,
    ),
    "h100": _H100,
    # The same chip with more and faster memory.
    "h200": dataclasses.replace(
        _H100,
        kind="NVIDIA H200 141GB HBM3e",
        memory=151_397_597_184,
        memory_bandwidth=4.8e12,
    ),
    "b200": Gpu(
        "NVIDIA B200",
        (10, 0),
        2.25e15,
        191_514_411_008,
        7.67232e12,
        9.0e11,
        5.0e10,
        cores=148,
        fpus_per_core=128,
        clock_ghz=1.965,
        l2_cache=132_644_864,
        shared_memory_per_core=233_472,
        shared_memory_optin=232_448,
    ),
}


def target_config(gpu: Gpu) -> str:
    """The compiler's description of a GPU, a `GpuTargetConfigProto` as text."""
    major, minor = gpu.capability
    return f"""
gpu_device_info {{
  threads_per_block_limit: 1024
  threads_per_warp: 32
  shared_memory_per_block: 49152
  shared_memory_per_core: {gpu.shared_memory_per_core}
  threads_per_core_limit: 2048
  core_count: {gpu.cores}
  fpus_per_core: {gpu.fpus_per_core}
  block_dim_limit_x: 2147483647
  block_dim_limit_y: 65535
  block_dim_limit_z: 65535
  memory_bandwidth: {int(gpu.memory_bandwidth)}
  l2_cache_size: {gpu.l2_cache}
  clock_rate_ghz: {gpu.clock_ghz}
  device_memory_size: {gpu.memory}
  shared_memory_per_block_optin: {gpu.shared_memory_optin}
  cuda_compute_capability {{ major: {major} minor: {minor} }}
  registers_per_core_limit: 65536
  registers_per_block_limit: 65536
}}
platform_name: "CUDA"
dnn_version_info {{ major: {CUDNN[0]} minor: {CUDNN[1]} }}
runtime_version {{ major: 12 minor: 8 }}
device_description_str: "{gpu.kind}"
"""
