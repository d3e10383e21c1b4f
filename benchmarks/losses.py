# SPDX-License-Identifier: Apache-2.0
"""Time on this machine's CPU, and memory per chip of a described TPU slice, of the losses' forms.

    python benchmarks/losses.py

Nothing is run on a TPU: libtpu compiles value and gradient ahead of time and says what they
would take. Times are medians of alternating runs and mean little across machines.
"""

import dataclasses
import os
from typing import Any

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("TPU_SKIP_MDS_QUERY", "1")
os.environ.setdefault("ALLOW_MULTIPLE_LIBTPU_LOAD", "1")

import jax
import jax.numpy as jnp
from jax.experimental import topologies
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from medst_jax import losses
from medst_jax.parallel import BATCH_AXES, make_mesh

TOPOLOGY = "v5e:4x4"


@dataclasses.dataclass(frozen=True)
class Shape:
    """A loss's batch: embeddings [rows, width], or words and patches of that width."""

    rows: int
    width: int = 768
    words: int = 97
    patches: int = 361

    def arrays(self, name: str) -> list[tuple[tuple[int, ...], Any]]:
        """Shapes and dtypes of the arguments of loss `name`."""
        words, patches = (self.rows, self.words), (self.rows, self.patches)
        local = [((*words, self.width), jnp.bfloat16), ((*patches, self.width), jnp.bfloat16)]
        scalar = ((), jnp.float32)
        if name == "gloria_local":
            return [*local, (words, jnp.bool_)]
        if name == "token_alignment":
            masks = [(words, jnp.bool_), (patches, jnp.bool_)]
            return [*local, *masks, (words, jnp.float32), (patches, jnp.float32)]
        pair = [((self.rows, self.width), jnp.bfloat16)] * 2
        return [*pair, scalar, scalar] if name == "siglip" else [*pair, scalar]


def step(name: str, form: str, chunk: int | None) -> Any:
    """Value and gradient of a loss with respect to its float arguments, under jit."""
    loss = losses.select(name, form, chunk=chunk)

    def scalar(*arguments: jax.Array) -> jax.Array:
        result = loss(*arguments)
        return sum(result) if isinstance(result, tuple) else result

    counts = {"siglip": 4, "clip": 3}
    return jax.jit(jax.value_and_grad(scalar, argnums=tuple(range(counts.get(name, 2)))))


def peak_bytes(name: str, form: str, shape: Shape, chunk: int | None = None) -> int:
    """`peak_memory_in_bytes` per chip of `TOPOLOGY`, batch over all its chips."""
    described = topologies.get_topology_desc(platform="tpu", topology_name=TOPOLOGY)
    mesh = make_mesh(devices=described.devices)
    with jax.set_mesh(mesh):
        arguments = [
            jax.ShapeDtypeStruct(
                dims, dtype, sharding=NamedSharding(mesh, P(BATCH_AXES) if dims else P())
            )
            for dims, dtype in shape.arrays(name)
        ]
        compiled = step(name, form, chunk).lower(*arguments).compile()
    return int(compiled.memory_analysis().peak_memory_in_bytes)
