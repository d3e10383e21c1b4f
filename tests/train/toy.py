# SPDX-License-Identifier: Apache-2.0
"""A system and an input small enough to train thousands of steps in a test; also a program.

python tests/train/toy.py WORKDIR [key=value ...]
"""

import dataclasses
import json
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from medst_jax.parallel import constrain, join_processes
from medst_jax.systems.registry import register
from medst_jax.systems.system import System
from medst_jax.train.run import RunInput, run


@dataclasses.dataclass(frozen=True)
class ToyOptions:
    """Width of the hidden layer; seed of the weights."""

    width: int = 8
    seed: int = 0


@register("toy")
class Toy(System):
    """Two linear layers with a batch norm and dropout, regressing the mean of the pixels."""

    required_keys = ("frontal", "example")
    Options = ToyOptions

    def __init__(self, options: ToyOptions):
        rngs = nnx.Rngs(options.seed)
        self.first = nnx.Linear(
            16,
            options.width,
            rngs=rngs,
            kernel_metadata={"axes": ("embed", "mlp")},
            bias_metadata={"axes": ("mlp",)},
        )
        self.norm = nnx.BatchNorm(
            options.width,
            rngs=rngs,
            scale_metadata={"axes": ("embed",)},
            bias_metadata={"axes": ("embed",)},
        )
        self.second = nnx.Linear(
            options.width, 1, use_bias=False, rngs=rngs, kernel_metadata={"axes": ("embed", None)}
        )
        self.log_scale = nnx.Param(jnp.zeros(()), axes=())

    def encode(self, batch: Any, *, rngs: Any) -> jax.Array:
        x = batch["frontal"].reshape(-1, 16).astype(jnp.float32) / 255.0
        x = constrain(jnp.tanh(self.norm(self.first(x))), ("batch", "embed"))
        keys = jax.vmap(lambda n: jax.random.fold_in(rngs, n))(batch["example"])
        noise = jax.vmap(lambda key: jax.random.normal(key, x.shape[1:]))(keys)
        return x + 0.1 * noise

    def objective(self, encoded: jax.Array, batch: Any) -> tuple[jax.Array, Any]:
        target = batch["frontal"].reshape(-1, 16).astype(jnp.float32).mean(1) / 255.0
        error = jnp.exp(self.log_scale[...]) * self.second(encoded)[:, 0] - target
        count = jnp.float32(target.shape[0])
        # Multiplying by the bad rows poisons loss and gradient where a test asks for it.
        loss = (error**2).mean() * jnp.where((batch["frontal"] == 255).all(), jnp.nan, 1.0)
        return loss, {"absolute_error": (jnp.abs(error).sum(), count)}

    def constrain_parameters(self) -> None:
        self.log_scale[...] = jnp.clip(self.log_scale[...], 0.0, 1.0)


def batch(step: int, size: int, bad: int = -1) -> dict[str, np.ndarray]:
    """The batch that follows `step` updates; the one with index `bad` makes the loss NaN."""
    positions = np.arange(step * size, (step + 1) * size, dtype=np.int32)
    rows = [np.random.default_rng([1, int(n)]).integers(0, 255, (4, 4, 1)) for n in positions]
    pixels = np.stack(rows).astype(np.uint8)
    return {"frontal": np.full_like(pixels, 255) if step == bad else pixels, "example": positions}


def source(size: int, *, bad: int = -1, pause: float = 0.0, stamp: str = "a") -> RunInput:
    """Endless batches; `pause` seconds are slept before each."""

    def batches(start: int, rows: np.ndarray) -> Iterator[dict[str, np.ndarray]]:
        step = start
        while True:
            time.sleep(pause)
            yield {key: value[rows] for key, value in batch(step, size, bad).items()}
            step += 1

    spec = {k: jax.ShapeDtypeStruct(v.shape, v.dtype) for k, v in batch(0, size).items()}
    return RunInput(batches, spec, {"data": stamp})


def config(**changes: Any) -> dict[str, Any]:
    """A full configuration; `train.steps=20` style keys are given as train__steps=20."""
    values: dict[str, Any] = {
        "seed": 0,
        "train": {
            "batch_size": 8,
            "steps": 20,
            "log_every": 5,
            "checkpoint_every": 5,
            "tensorboard": False,
        },
        "optimizer": {"learning_rate": 0.01, "warmup_steps": 2, "weight_decay": 0.01},
        "mesh": {},
        "rules": "dp",
        "evaluate": {},
    }
    for key, value in changes.items():
        *sections, last = key.split("__")
        section = values
        for name in sections:
            section = section[name]
        section[last] = value
    return values


def main(workdir: str, *arguments: str) -> None:
    """Run with `key=value` changes of the configuration; `pause` and `width` are ours."""
    if "JAX_NUM_PROCESSES" in os.environ or "SLURM_JOB_ID" in os.environ:
        join_processes()
    changes = {key: json.loads(value) for key, value in (a.split("=") for a in arguments)}
    pause, width = changes.pop("pause", 0.0), changes.pop("width", 8)
    values = config(**changes)
    outcome = run(
        workdir,
        values,
        {"name": "toy", "options": {"width": width}},
        source(values["train"]["batch_size"], pause=pause),
    )
    sys.exit(75 if outcome.preempted else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
