# SPDX-License-Identifier: Apache-2.0
"""Makes the compiled modules beside it: three scanned layers and their gradient, three ways cut.

PYTHONPATH=. python tests/plan/data/make_modules.py [gpu]

"gpu" makes those of the compiler for GPUs alone, which needs the extra plan-gpu.
"""

import pathlib
import re
import sys

from medst_jax.plan.gpu_topology import COMPILER_OPTIONS
from medst_jax.plan.topology import describe, prepare_environment

prepare_environment()

import jax
import jax.numpy as jnp
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from medst_jax.parallel import make_mesh

FOLDER = pathlib.Path(__file__).resolve().parent


def step(weights: jax.Array, x: jax.Array) -> jax.Array:
    """One SGD step of three square layers."""

    def body(x: jax.Array, kernel: jax.Array) -> tuple[jax.Array, None]:
        return jnp.tanh(x @ kernel.astype(x.dtype)), None

    def loss(weights: jax.Array) -> jax.Array:
        return (jax.lax.scan(body, x, weights)[0].astype(jnp.float32) ** 2).sum()

    return weights - 0.1 * jax.grad(loss)(weights)


def make(name: str, slices: int, fsdp: int, topology: str = "v5e:2x2") -> None:
    mesh = make_mesh(-1, fsdp, 1, devices=describe(topology, slices).devices)
    cut = NamedSharding(mesh, P(None, "fsdp" if fsdp > 1 else None))
    rows = NamedSharding(mesh, P(("data", "fsdp")))
    weights = jax.ShapeDtypeStruct((3, 256, 256), jnp.float32, sharding=cut)
    x = jax.ShapeDtypeStruct((256, 256), jnp.bfloat16, sharding=rows)
    lowered = jax.jit(step, out_shardings=cut).lower(weights, x)
    options = dict(COMPILER_OPTIONS) if topology.startswith("h100") else None
    text = lowered.compile(compiler_options=options).as_text()
    text = re.sub(r"^FileNames.*?(?=^%|^ENTRY)", "", text, flags=re.DOTALL | re.MULTILINE)
    (FOLDER / f"{name}.hlo").write_text(text)


if __name__ == "__main__":
    if sys.argv[1:] != ["gpu"]:
        make("scan_dp", 1, 1)
        make("scan_fsdp", 1, 4)
        make("scan_two_slices", 2, 1)
    make("gpu_scan_fsdp", 1, 4, "h100:4")
    make("gpu_scan_two_nodes", 1, 4, "h100:2x4")
