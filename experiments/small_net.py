# SPDX-License-Identifier: Apache-2.0
"""A small ResNet trained with the truth of the simulated cohort, and the arrays it trains on."""

import itertools
import multiprocessing
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from medst_jax.data.images.augment import Augment
from medst_jax.models.encoders.resnet import ResNet, ResNetOptions

AUGMENT = Augment(rotate=5.0, translate=0.05, scale=(0.94, 1.06), contrast=0.15, brightness=0.05)

Data = dict[str, np.ndarray]
Rows = dict[str, jax.Array]
Module = TypeVar("Module", bound=nnx.Module)


def collected(
    make: Callable[[int, int], Data], first: int, last: int, *, workers: int, file: Path | None
) -> Data:
    """The rows that `make` gives for patients [first, last): in processes, or as `file` has them.

    Args:
      make: of picklable parts; the rows of patients [first, last).
      first, last: numbers of patients.
      workers: processes.
      file: kept there and read from there; None keeps nothing.
    """
    if file and file.exists():
        with np.load(file) as stored:
            return dict(stored)
    edges = np.linspace(first, last, max(4 * workers, 2) + 1).astype(int).tolist()
    blocks = list(itertools.pairwise(edges))
    if workers > 1:
        with multiprocessing.get_context("spawn").Pool(workers) as pool:
            parts = pool.starmap(make, blocks)
    else:
        parts = [make(*block) for block in blocks]
    data = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    if file:
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savez(file, **data)  # type: ignore[arg-type]
    return data


class Net(nnx.Module):
    """A small ResNet and a linear head."""

    def __init__(self, outputs: int, rngs: nnx.Rngs) -> None:
        options = ResNetOptions.small(widths=(24, 48, 96, 128), stem_width=16, channels=1)
        self.trunk = ResNet(options, rngs=rngs)
        self.head = nnx.Linear(self.trunk.features, outputs, rngs=rngs)

    def pooled(self, images: jax.Array, *, train: bool) -> jax.Array:
        """Features [B, D] of normalised images [B, S, S, 1]."""
        last = self.trunk(images, train=train).stages[-1].astype(jnp.float32)
        return last.mean((1, 2)) + 0.5 * last.max((1, 2))

    def __call__(self, images: jax.Array, *, train: bool) -> jax.Array:
        return self.head(self.pooled(images, train=train))


def normalised(images: jax.Array) -> jax.Array:
    """Pixels [..., S, S] of 8 bits as images [..., S, S, 1] of the net."""
    return (jnp.asarray(images)[..., None].astype(jnp.float32) / 255 - 0.5) / 0.25


def trained(
    net: Module,
    loss: Callable[[Module, Rows, jax.Array], jax.Array],
    data: Data,
    *,
    steps: int,
    batch: int,
    rate: float = 3e-3,
    seed: int = 0,
) -> Module:
    """The net after `steps` of AdamW with warm-up and cosine decay; epochs in random order.

    Args:
      net: used up: its arrays go into the first step.
      loss: of the net on the rows of a batch, with a key for each row.
      data: arrays with a row per example.
      rate: the highest learning rate.
      seed: of the order and the keys.
    """
    graph, params, rest = nnx.split(net, nnx.Param, ...)
    schedule = optax.warmup_cosine_decay_schedule(0.0, rate, min(100, steps // 2), steps)
    optimizer = optax.adamw(schedule, weight_decay=2e-2)

    def objective(params, rest, rows, keys):
        net = nnx.merge(graph, params, rest, copy=True)
        return loss(net, rows, keys), nnx.state(net, nnx.Not(nnx.Param))

    @partial(jax.jit, donate_argnums=(0, 1, 2))
    def step(params, rest, state, rows, key):
        keys = jax.random.split(key, batch)
        (value, rest), grad = jax.value_and_grad(objective, has_aux=True)(params, rest, rows, keys)
        update, state = optimizer.update(grad, state, params)
        return optax.apply_updates(params, update), rest, state, value

    rng, key = np.random.default_rng(seed), jax.random.key(seed)
    state = optimizer.init(params)
    order: list[int] = []
    for number in range(steps):
        while len(order) < batch:
            order += rng.permutation(len(next(iter(data.values())))).tolist()
        chosen, order = order[:batch], order[batch:]
        rows = {name: values[chosen] for name, values in data.items()}
        params, rest, state, value = step(
            params, rest, state, rows, jax.random.fold_in(key, number)
        )
        if number % 100 == 0:
            print(f"step {number} loss {float(value):.3f}", file=sys.stderr, flush=True)
    return nnx.merge(graph, params, rest)


def blockwise(
    read: Callable[[Module, jax.Array], jax.Array], net: Module, images: np.ndarray
) -> np.ndarray:
    """What `read` gives for the net and pixels, a block of images at a time."""
    call = nnx.jit(read)
    blocks = range(0, len(images), 128)
    return np.concatenate([np.asarray(call(net, images[i : i + 128])) for i in blocks])
