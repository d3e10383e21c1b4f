# SPDX-License-Identifier: Apache-2.0
"""Time on this machine's CPU, and memory per chip of a described TPU slice, of the losses' forms.

    python -m medst_jax.benchmarks.losses                          everything, as JSON
    python -m medst_jax.benchmarks.losses peak clip ring 65536     peak bytes per chip of one

Nothing runs on a TPU: libtpu compiles value and gradient ahead of time and says what they would
take. CPU times are of eight devices made of this machine's cores, medians of alternating runs.
"""

import dataclasses
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental import topologies
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from medst_jax import losses
from medst_jax.parallel.mesh import BATCH_AXES, make_mesh

TOPOLOGY = "v5e:4x4"
FORMS = ("dense", "chunked", "ring")
# Loss, form, rows: the losses at the batch they are meant for.
PEAKS = (
    ("clip", "dense", 65_536),
    ("clip", "ring", 65_536),
    ("siglip", "dense", 65_536),
    ("siglip", "ring", 65_536),
    ("gloria_local", "dense", 1_024),
    ("gloria_local", "ring", 1_024),
    ("token_alignment", "dense", 1_024),
    ("token_alignment", "ring", 1_024),
)


@dataclasses.dataclass(frozen=True)
class Shape:
    """A loss's batch: embeddings [rows, width], or words and patches of that width."""

    rows: int
    width: int = 768
    words: int = 97
    patches: int = 361

    def arguments(self, name: str) -> list[tuple[tuple[int, ...], Any]]:
        """Shapes and dtypes of the arguments of loss `name`, the differentiable ones first."""
        words, patches = (self.rows, self.words), (self.rows, self.patches)
        local = [((*words, self.width), jnp.bfloat16), ((*patches, self.width), jnp.bfloat16)]
        if name == "gloria_local":
            return [*local, (words, jnp.bool_)]
        if name == "token_alignment":
            masks = [(words, jnp.bool_), (patches, jnp.bool_)]
            return [*local, *masks, (words, jnp.float32), (patches, jnp.float32)]
        scalars = 2 if name == "siglip" else 1
        return [((self.rows, self.width), jnp.bfloat16)] * 2 + [((), jnp.float32)] * scalars


def measure() -> dict[str, Any]:
    """{"cpu": rows of seconds, "tpu": rows of peak bytes, or why there are none}.

    Each part is a process of its own: the number of CPU devices and the TPU's environment are
    read when a process starts.
    """
    seconds = _in_process("seconds", XLA_FLAGS="--xla_force_host_platform_device_count=8")
    if importlib.util.find_spec("libtpu") is None:
        return {"cpu": seconds, "tpu": "libtpu is not installed"}
    peaks = [
        {"loss": name, "form": form, "rows": rows, "topology": TOPOLOGY}
        | _in_process("peak", name, form, str(rows))
        for name, form, rows in PEAKS
    ]
    return {"cpu": seconds, "tpu": peaks}


def peak(name: str, form: str, rows: int, chunk: int | None = None) -> dict[str, Any]:
    """Peak bytes per chip of value and gradient, batch over all chips, and seconds to compile.

    What does not fit the chip has no peak, but the compiler's words in `out_of_memory`.
    """
    described = topologies.get_topology_desc(platform="tpu", topology_name=TOPOLOGY)
    mesh = make_mesh(devices=described.devices)
    arguments = [
        jax.ShapeDtypeStruct(dims, dtype, sharding=_sharding(mesh, dims))
        for dims, dtype in Shape(rows).arguments(name)
    ]
    began = time.perf_counter()
    with jax.set_mesh(mesh):
        lowered = _step(name, form, chunk).lower(*arguments)
    try:
        memory = lowered.compile().memory_analysis()
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        return {"peak_bytes": None, "out_of_memory": str(error).splitlines()[0]}
    return {
        "peak_bytes": int(memory.peak_memory_in_bytes),
        "arguments_bytes": int(memory.argument_size_in_bytes),
        "compile_seconds": round(time.perf_counter() - began, 1),
    }


def seconds(repeats: int = 5) -> list[dict[str, Any]]:
    """Median seconds of value and gradient, every loss and form, over all devices there are."""
    shapes = {
        "clip": Shape(1024, 256),
        "siglip": Shape(1024, 256),
        "gloria_local": Shape(32, 64, 24, 49),
        "token_alignment": Shape(64, 64, 24, 49),
    }
    mesh = make_mesh()
    rows = []
    with jax.set_mesh(mesh):
        for name, shape in shapes.items():
            steps = {form: _step(name, form, None) for form in FORMS}
            arrays = _filled(mesh, shape.arguments(name))
            times: dict[str, list[float]] = {form: [] for form in FORMS}
            for repeat in range(repeats + 1):
                for form, step in steps.items():
                    began = time.perf_counter()
                    jax.block_until_ready(step(*arrays))
                    if repeat:  # The first turn compiles.
                        times[form].append(time.perf_counter() - began)
            for form in FORMS:
                median = statistics.median(times[form])
                rows.append({"loss": name, "form": form, "rows": shape.rows, "seconds": median})
    return rows


def _step(name: str, form: str, chunk: int | None) -> Any:
    loss = losses.select(name, form, chunk=chunk)

    def scalar(*arguments: jax.Array) -> jax.Array:
        result = loss(*arguments)
        return result[0] + result[1] if isinstance(result, tuple) else result

    differentiable = {"siglip": 4, "clip": 3}.get(name, 2)
    return jax.jit(jax.value_and_grad(scalar, argnums=tuple(range(differentiable))))


def _filled(mesh: jax.sharding.Mesh, arguments: list[tuple[tuple[int, ...], Any]]) -> list[Any]:
    """Unit rows of random numbers, true masks, uniform weights, scalars of one."""
    arrays = []
    for number, (dims, dtype) in enumerate(arguments):
        if dtype == jnp.bfloat16:
            values = jax.random.normal(jax.random.key(number), dims)
            values = values / jnp.linalg.norm(values, axis=-1, keepdims=True)
        else:
            values = jnp.ones(dims) / (dims[1] if len(dims) == 2 else 1)
        arrays.append(jax.device_put(values.astype(dtype), _sharding(mesh, dims)))
    return arrays


def _sharding(mesh: jax.sharding.Mesh, dims: tuple[int, ...]) -> NamedSharding:
    return NamedSharding(mesh, P(BATCH_AXES) if dims else P())


def _in_process(*arguments: str, **environment: str) -> Any:
    finished = subprocess.run(
        [sys.executable, __file__, *arguments],
        env={
            **os.environ,
            "JAX_PLATFORMS": "cpu",
            "TPU_SKIP_MDS_QUERY": "1",
            "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
            **environment,
        },
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return json.loads(finished.stdout.splitlines()[-1])


def main(*arguments: str) -> None:
    if not arguments:
        print(json.dumps(measure(), indent=1))
    elif arguments[0] == "seconds":
        print(json.dumps(seconds()))
    else:
        name, form, rows, *chunk = arguments[1:]
        print(json.dumps(peak(name, form, int(rows), *map(int, chunk))))


if __name__ == "__main__":
    main(*sys.argv[1:])
