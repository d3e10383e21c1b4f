# SPDX-License-Identifier: Apache-2.0
"""What one accelerator does, beside what the plan says of it; benchmarks/device.sh runs the parts.

    python -m benchmarks.device --part=siglip --output=DIR [--tiny]

Each part writes DIR/PART.json. With --tiny sizes are so small that two CPU cores do, which shows that the
script runs, and nothing of any hardware.
"""

import dataclasses
import importlib
import importlib.metadata
import json
import os
import pathlib
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from absl import app, flags

from medst_jax.benchmarks.train_steps import LABELS, VOCABULARY, random_batch
from medst_jax.data.batch import keys_of
from medst_jax.models.layers.attention import attend
from medst_jax.models.layers.fused_attention import obstacle
from medst_jax.parallel.sharding import put_batch
from medst_jax.plan.flops import forward_flops
from medst_jax.plan.gpus import GPUS, Gpu
from medst_jax.plan.hlo import parse_module
from medst_jax.plan.roofline import roofline_seconds
from medst_jax.systems.registry import system_class
from medst_jax.train.assembly import Assembly, assemble
from medst_jax.train.state import init_state, skeleton

_OUTPUT = flags.DEFINE_string("output", "device", "Folder of the JSON files.")
_TINY = flags.DEFINE_bool("tiny", False, "Sizes for two CPU cores.")
_BATCH = flags.DEFINE_integer("batch", 256, "Examples of a step of siglip; half of it of dlilp.")
TIMED = 10


def versions() -> dict[str, Any]:
    """What the figures hold for."""
    device = jax.devices()[0]
    names = ("jax", "jaxlib", "flax", "optax")
    return {name: importlib.metadata.version(name) for name in names} | {
        "device": device.device_kind,
        "platform": device.platform,
        "memory": (device.memory_stats() or {}).get("bytes_limit"),
        "cores": os.cpu_count(),
    }


def parity(tiny: bool) -> dict[str, Any]:
    """Losses of three steps in bfloat16 here and on this machine's CPU, from one state and batch."""
    config = _config("siglip_b16", "tiny" if tiny else "smoke", 8 if tiny else 32)
    for tower in ("image", "text"):
        config["system"][tower]["dtype"] = "bfloat16"
    here, there = (_losses(config, jax.devices(name)[:1]) for name in (None, "cpu"))
    off = max(abs(a - b) / abs(b) for a, b in zip(here, there, strict=True))
    return {"losses": here, "cpu_losses": there, "relative_difference": off, "equal": off < 1e-3}


def siglip(tiny: bool) -> dict[str, Any]:
    """A step of `siglip_b16`."""
    return step("siglip_b16", tiny, _BATCH.value)


def dlilp(tiny: bool) -> dict[str, Any]:
    """A step of `dlilp`, whose convolutions cuDNN takes long to compile."""
    return step("dlilp", tiny, _BATCH.value // 2)


def step(name: str, tiny: bool, batch: int) -> dict[str, Any]:
    """Time, MFU and memory of a train step beside the compiled program's own figures."""
    config = _config(name, "tiny" if tiny else None, 8 if tiny else batch)
    device = jax.devices()[0]
    assembly = _assemble(config, [device])
    inputs = _batch(config, assembly)
    began = time.perf_counter()
    compiled = assembly.step.lower(
        {key: jax.ShapeDtypeStruct(value.shape, value.dtype) for key, value in inputs.items()}
    ).compile()
    seconds_to_compile = time.perf_counter() - began
    state = init_state(
        assembly.build,
        assembly.optimizer,
        assembly.step.mesh,
        assembly.rules,
        ema=assembly.options.ema,
    )
    on_device = put_batch(inputs, assembly.step.mesh)
    taken = []
    for _ in range(2 if tiny else TIMED + 2):
        began = time.perf_counter()
        state, metrics = compiled(state, on_device)
        jax.block_until_ready((state, metrics))
        taken.append(time.perf_counter() - began)
    measured = statistics.median(taken[-TIMED:])
    flops = _step_flops(assembly, inputs)
    row = {
        "config": name,
        "batch": len(next(iter(inputs.values()))),
        "execution": {name: dict(by) for name, by in assembly.execution.items()},
        "compile_seconds": seconds_to_compile,
        "step_seconds": measured,
        "examples_per_second": config["train"]["batch_size"] / measured,
        "peak_bytes": (device.memory_stats() or {}).get("peak_bytes_in_use"),
        "planned_peak_bytes": compiled.memory_analysis().peak_memory_in_bytes,
        "flops": flops,
    }
    gpu = _table_row(device.device_kind)
    if gpu is not None:
        roofline = roofline_seconds(parse_module(compiled.as_text()), gpu)
        row |= {"roofline_seconds": roofline, "mfu": flops / measured / gpu.peak_flops}
    return row


def attention(tiny: bool) -> dict[str, Any]:
    """Forward and backward of one attention by einsum and by cuDNN; the latter where it can run."""
    rows = []
    for tokens in (16,) if tiny else (196, 784):
        shape = (2, tokens, 2, 8) if tiny else (64, tokens, 12, 64)
        draws = np.random.default_rng(0).normal(size=(3, *shape))
        q, k, v = (jnp.asarray(x, jnp.bfloat16) for x in draws)
        row: dict[str, Any] = {"shape": shape}
        for implementation in ("einsum", "cudnn"):
            if implementation == "cudnn" and (reason := obstacle(q)):
                row["cudnn_left_out"] = reason
                continue
            gradient = jax.jit(jax.grad(_attention_loss(implementation), argnums=(0, 1, 2)))
            compiled = gradient.lower(q, k, v).compile()
            row[implementation] = {
                "seconds": _median_seconds(compiled, (q, k, v), 2 if tiny else 20),
                "temporaries_bytes": compiled.memory_analysis().temp_size_in_bytes,
            }
        rows.append(row)
    return {"rows": rows}


def input(tiny: bool) -> dict[str, Any]:
    """Images a second of the training input, per core and of all of this host's cores."""
    import grain.multiprocessing  # noqa: F401 (defines the flag that is set below)

    from medst_jax.benchmarks.input import measure
    from medst_jax.benchmarks.textured import prepare_textured

    flags.FLAGS.grain_enable_multiprocess_worker_profiling = False
    with tempfile.TemporaryDirectory() as folder:
        stored, size = (64, 32) if tiny else (512, 224)
        studies, images, batch = (16, 16, 8) if tiny else (1024, 1024, 256)
        vocabulary = prepare_textured(folder, "textured", studies, stored)
        rates = measure(
            folder, "textured", vocabulary, size=size, images=images, batch=batch, turns=1
        )
    return {"stored": stored, "size": size, "cores": os.cpu_count(), "per_core": rates}


PARTS: Mapping[str, Callable[[bool], dict[str, Any]]] = {
    "parity": parity,
    "siglip": siglip,
    "attention": attention,
    "input": input,
    "dlilp": dlilp,
}
_PART = flags.DEFINE_enum("part", None, list(PARTS), "What to measure.", required=True)


def _config(name: str, variant: str | None, batch: int) -> dict[str, Any]:
    plain = importlib.import_module(f"medst_jax.configs.{name}").get_config(variant).to_dict()
    config = json.loads(json.dumps(plain))
    config["train"]["batch_size"] = batch
    return config


def _assemble(config: Mapping[str, Any], devices: list[Any]) -> Assembly:
    options = dict(config["system"])
    name = options.pop("name")
    options |= {
        "labels": [f"label {k}" for k in range(LABELS)],
        "vocabulary_size": VOCABULARY,
        "seed": 0,
    }
    return assemble(config, {"name": name, "options": options}, devices)


def _batch(config: Mapping[str, Any], assembly: Assembly) -> dict[str, np.ndarray]:
    data = config["data"]
    batch = random_batch(
        keys_of(system_class(config["system"]["name"]).required_keys),
        assembly.options.batch_size,
        size=data["size"],
        length=data["text_length"],
        studies=data.get("sequence_length", 0),
    )
    if "text_source" in batch:
        batch["text_source"][:] = 1  # a report: rows without a text do not count, and the loss is 0
    return batch


def _losses(config: Mapping[str, Any], devices: list[Any]) -> list[float]:
    assembly = _assemble(config, devices)
    mesh, losses = assembly.step.mesh, []
    state = init_state(assembly.build, assembly.optimizer, mesh, assembly.rules)
    batch = put_batch(_batch(config, assembly), mesh)
    for _ in range(3):
        state, metrics = assembly.step(state, batch)
        total, count = metrics["loss"]
        losses.append(float(total) / float(count))
    return losses


def _step_flops(assembly: Assembly, batch: Mapping[str, np.ndarray]) -> float:
    """Of the model: three forward passes, without what is computed again."""
    parts, state = skeleton(assembly.template), assembly.step.abstract
    key = jax.eval_shape(lambda: jax.random.key(0))

    def loss(variables: Any, batch: Any, key: Any) -> Any:
        return parts.system(*variables).loss(batch, rngs=key)[0]

    return 3.0 * forward_flops(loss, (state.params, state.model_state), dict(batch), key)


def _attention_loss(implementation: str) -> Callable[..., jax.Array]:
    def loss(q: jax.Array, k: jax.Array, v: jax.Array) -> jax.Array:
        mixed = attend(q, k, v, implementation=implementation)  # type: ignore[arg-type]
        return jnp.sum(jnp.square(mixed.astype(jnp.float32)))

    return loss


def _median_seconds(run: Callable[..., Any], inputs: tuple[Any, ...], times: int) -> float:
    taken = []
    for _ in range(times + 2):
        began = time.perf_counter()
        jax.block_until_ready(run(*inputs))
        taken.append(time.perf_counter() - began)
    return statistics.median(taken[2:])


def _table_row(kind: str) -> Gpu | None:
    """The planner's figures of this device, whose name may lack the memory's kind."""
    known = [gpu for name, gpu in GPUS.items() if name.upper() in kind.upper()]
    return dataclasses.replace(known[0], kind=kind) if known else None


def main(_: list[str]) -> None:
    part = str(_PART.value)
    began = time.perf_counter()
    row = PARTS[part](_TINY.value)
    row |= {"part": part, "tiny": _TINY.value, "seconds": time.perf_counter() - began}
    folder = pathlib.Path(_OUTPUT.value)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{part}.json").write_text(
        json.dumps(row | {"versions": versions()}, indent=1) + "\n"
    )
    print(json.dumps(row))


if __name__ == "__main__":
    app.run(main)
