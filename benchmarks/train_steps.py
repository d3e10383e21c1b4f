# SPDX-License-Identifier: Apache-2.0
"""Examples per second of a configuration's train step, and of the same model in PyTorch.

    python -m medst_jax.benchmarks.step --config=configs/clip.py:smoke [--torch_python=PYTHON] [--steps=10]

The step is the one that trains, compiled as there, on a random batch that stays on the device.
With --torch_python, an interpreter that has torch, benchmarks/torch_step.py times the same
encoders, loss and optimizer there, both without augmentation, and the two take turns; medians over
the steps of all turns.
"""

import json
import pathlib
import statistics
import time
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from medst_jax import systems
from medst_jax.benchmarks.other_python import answer
from medst_jax.data.batch import batch_spec, keys_of
from medst_jax.options import parse
from medst_jax.parallel.mesh import make_mesh
from medst_jax.parallel.sharding import put_batch
from medst_jax.train.optimizer import make_optimizer
from medst_jax.train.options import OptimizerOptions, TrainOptions
from medst_jax.train.state import abstract_system, init_state, split
from medst_jax.train.step import make_train_step

LABELS, VOCABULARY = 14, 1000
TURNS = 3


class JaxStep:
    """A configuration's compiled train step with its state and a batch."""

    def __init__(self, config: Mapping[str, Any]):
        options = dict(config["system"])
        name = options.pop("name")
        options |= {
            "labels": [f"label {k}" for k in range(LABELS)],
            "vocabulary_size": VOCABULARY,
            "seed": 0,
        }
        train = parse(TrainOptions, config["train"], "config.train")
        self.rows = train.batch_size

        def build() -> systems.System:
            return systems.build(name, **options)

        template, mesh = abstract_system(build), make_mesh()
        optimizer, _ = make_optimizer(
            parse(OptimizerOptions, config["optimizer"], "config.optimizer"),
            train.steps,
            split(template)[1],
        )
        rules = config.get("rules", "dp")
        self._step = make_train_step(template, optimizer, mesh, rules)
        self._state = init_state(build, optimizer, mesh, rules)
        data = config["data"]
        self.batch = random_batch(
            keys_of(systems.system_class(name).required_keys),
            self.rows,
            size=data["size"],
            length=data["text_length"],
            studies=data.get("sequence_length", 0),
        )
        self._on_device = put_batch(self.batch, mesh)

    def seconds(self, steps: int) -> list[float]:
        """Seconds of each of so many steps; the first call compiles and warms up."""
        taken = []
        for _ in range(steps):
            began = time.perf_counter()
            self._state, metrics = self._step(self._state, self._on_device)
            jax.block_until_ready((self._state, metrics))
            taken.append(time.perf_counter() - began)
        return taken


def random_batch(
    keys: tuple[str, ...], rows: int, *, size: int, length: int, studies: int = 0
) -> dict[str, np.ndarray]:
    """A full batch of the contract: every image present, every token in use.

    Every token is a word of its own, and sequences hold `studies` rows each.
    """
    draw = np.random.default_rng(0)
    batch = {}
    specs = batch_spec(keys, rows, size=size, length=length, labels=LABELS, studies=studies)
    for key, spec in specs.items():
        if spec.dtype == np.bool_:
            batch[key] = np.ones(spec.shape, np.bool_)
        elif key == "tokens":
            batch[key] = draw.integers(4, VOCABULARY, spec.shape).astype(spec.dtype)
        elif key == "word_index":
            batch[key] = np.broadcast_to(np.arange(-1, length - 1, dtype=spec.dtype), spec.shape)
        elif key == "sequence_rows":
            full = np.arange(rows).reshape(-1, studies)
            batch[key] = np.full(spec.shape, -1, spec.dtype)
            batch[key][: len(full)] = full
        elif spec.dtype == np.uint8:
            batch[key] = draw.integers(0, 256, spec.shape).astype(spec.dtype)
        elif spec.dtype == np.float32:
            batch[key] = draw.integers(0, 2, spec.shape).astype(spec.dtype)
        elif len(spec.shape) == 1 and key not in ("source", "text_source"):
            batch[key] = np.arange(rows).astype(spec.dtype)
        else:
            batch[key] = np.zeros(spec.shape, spec.dtype)
    return batch


def measure(config: Mapping[str, Any], steps: int, torch_python: str = "") -> dict[str, Any]:
    """{"system", "batch_size", "parameters", "seconds", "examples_per_second", ...}.

    With `torch_python` also "torch_seconds", "torch_examples_per_second", "torch_parameters" and
    "ratio", the JAX rate over the PyTorch rate.
    """
    if torch_python:
        plain = {k: v for k, v in config["system"].items() if k != "augment"}
        config = {**config, "system": plain}
    ours = JaxStep(config)
    ours.seconds(2)
    taken: list[float] = []
    theirs: list[float] = []
    torch_result: dict[str, Any] = {}
    for _ in range(TURNS):
        taken += ours.seconds(steps)
        if torch_python:
            torch_result = torch_seconds(torch_python, config, steps)
            theirs += torch_result["seconds"]
    seconds = statistics.median(taken)
    row = {
        "system": config["system"]["name"],
        "batch_size": ours.rows,
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(ours._state.params)),
        "devices": jax.device_count(),
        "seconds": round(seconds, 4),
        "examples_per_second": round(ours.rows / seconds, 2),
    }
    if theirs:
        other = statistics.median(theirs)
        row |= {
            "torch": torch_result["version"],
            "torch_parameters": torch_result["parameters"],
            "torch_seconds": round(other, 4),
            "torch_examples_per_second": round(ours.rows / other, 2),
            "ratio": round(other / seconds, 3),
        }
    return row


def torch_seconds(python: str, config: Mapping[str, Any], steps: int) -> dict[str, Any]:
    """Run benchmarks/torch_step.py by another interpreter.

    Raises:
      ValueError: it fails; holds its last words.
    """
    values = json.dumps({"config": config, "steps": steps, "vocabulary": VOCABULARY})
    return answer(python, pathlib.Path(__file__).with_name("torch_step.py"), values)


def table(row: dict[str, Any]) -> str:
    """For people."""
    return "\n".join(f"{key:>26}  {value}" for key, value in row.items())
