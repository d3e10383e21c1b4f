# SPDX-License-Identifier: Apache-2.0
"""Med-ST at paper width on CPU: its losses alone and its train step, beside PyTorch in turns.

    python -m medst_jax.benchmarks.medst --torch_python=PYTHON [--steps=2] [--loss_steps=20]

ViT-B/16 with view experts, six layers of BERT, 4 sequences of 4 studies, 112 tokens, two views;
float32, no augmentation, dropout as configured. The losses' values must agree. Prints JSON: median
seconds of each side and the ratio, PyTorch's over ours (above 1: ours is faster).
"""

import functools
import json
import os
import pathlib
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from absl import app, flags

_WORKER = pathlib.Path(__file__).with_name("torch_medst.py")
from medst_jax.benchmarks.other_python import answer
from medst_jax.benchmarks.train_steps import VOCABULARY, JaxStep
from medst_jax.configs import medst
from medst_jax.losses.clip import clip_loss
from medst_jax.losses.temporal import cycle_consistency_loss
from medst_jax.losses.token_alignment import token_alignment_loss

_TORCH = flags.DEFINE_string("torch_python", None, "An interpreter with torch.", required=True)
_STEPS = flags.DEFINE_integer("steps", 2, "Timed train steps of a turn.", lower_bound=1)
_LOSS_STEPS = flags.DEFINE_integer("loss_steps", 20, "Timed losses of a turn.", lower_bound=1)
_PART = flags.DEFINE_enum("part", "both", ("both", "losses", "step"), "What to time.")

STUDIES, SEQUENCES, WORDS, PATCHES, JOINT = 4, 4, 111, 392, 128
TURNS = 3


def loss_arrays() -> dict[str, Any]:
    """Embeddings of unit norm and weights that sum to 1."""
    draw = np.random.default_rng(0)
    rows = STUDIES * SEQUENCES

    def unit(*shape: int) -> np.ndarray:
        values = draw.normal(size=(rows, *shape, JOINT)).astype(np.float32)
        return values / np.linalg.norm(values, axis=-1, keepdims=True)

    def share(count: int) -> np.ndarray:
        values = draw.random((rows, count)).astype(np.float32)
        return values / values.sum(1, keepdims=True)

    return {
        "image": unit(), "text": unit(), "words": unit(WORDS), "patches": unit(PATCHES),
        "word_weights": share(WORDS), "patch_weights": share(PATCHES), "studies": STUDIES,
    }  # fmt: skip


def total(inputs: tuple[jax.Array, ...], word_weights: jax.Array, patch_weights: jax.Array) -> Any:
    """The three terms of Med-ST, nothing masked."""
    image, text, words, patches = inputs
    everything = [jnp.ones(x.shape[:2], bool) for x in (words, patches)]
    local = token_alignment_loss(words, patches, *everything, word_weights, patch_weights)
    sequences = [x.reshape(-1, STUDIES, JOINT) for x in (image, text)]
    cycle = cycle_consistency_loss(*sequences, jnp.ones(sequences[0].shape[:2], bool))
    return 2 * clip_loss(image, text, 1 / 0.07) + sum(local) + cycle


def seconds_of(call: Callable[[], Any], steps: int) -> list[float]:
    """Seconds of each of so many calls, after one that warms up."""
    jax.block_until_ready(call())
    taken = []
    for _ in range(steps):
        began = time.perf_counter()
        jax.block_until_ready(call())
        taken.append(time.perf_counter() - began)
    return taken


def alternate(
    part: str, ours: Callable[[int], list[float]], arrays: dict[str, Any], steps: int
) -> dict[str, Any]:
    """Median seconds of both sides, which take turns."""
    mine: list[float] = []
    theirs: list[float] = []
    threads = str(len(os.sched_getaffinity(0)))
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/arrays.npz"
        np.savez(path, **arrays)
        for _ in range(TURNS):
            mine += ours(steps)
            other = answer(_TORCH.value, _WORKER, part, path, str(steps), threads)
            theirs += other.pop("seconds")
    own, peer = statistics.median(mine), statistics.median(theirs)
    return {"seconds": own, "torch_seconds": peer, "ratio": round(peer / own, 3), **other}


def losses() -> dict[str, Any]:
    """The losses' row.

    Raises:
      ValueError: both sides compute different values.
    """
    arrays = loss_arrays()
    inputs = tuple(jnp.asarray(arrays[n]) for n in ("image", "text", "words", "patches"))
    weights = (jnp.asarray(arrays["word_weights"]), jnp.asarray(arrays["patch_weights"]))
    step = jax.jit(jax.value_and_grad(total))
    call = functools.partial(step, inputs, *weights)
    row = alternate("losses", functools.partial(seconds_of, call), arrays, _LOSS_STEPS.value)
    value = float(call()[0])
    if abs(value - row["value"]) > 1e-4 * abs(value):
        raise ValueError(f"the losses are {value} here and {row['value']} in PyTorch")
    return row


def train_step() -> dict[str, Any]:
    """The whole step's row."""
    config = medst.get_config()
    del config.system.augment
    config.system.image.dtype = config.system.text.dtype = "float32"
    config.system.image.remat = config.system.text.remat = "none"  # PyTorch keeps what it needs
    config.data.sequence_length = STUDIES
    config.train.batch_size = STUDIES * SEQUENCES
    ours = JaxStep(json.loads(json.dumps(config.to_dict())))
    ours.seconds(1)
    arrays = {name: ours.batch[name] for name in ("frontal", "lateral", "tokens")}
    arrays |= {"studies": STUDIES, "vocabulary": VOCABULARY}
    return alternate("step", ours.seconds, arrays, _STEPS.value)


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"unknown arguments: {argv[1:]}")
    rows: dict[str, Any] = {"threads": len(os.sched_getaffinity(0))}
    for part, measure in (("losses", losses), ("step", train_step)):
        if _PART.value in ("both", part):
            rows[part] = measure()
    print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    app.run(main)
