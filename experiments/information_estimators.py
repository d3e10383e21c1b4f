# SPDX-License-Identifier: Apache-2.0
"""Both mutual information estimators on correlated Gaussians, whose information is known.

    python -m experiments.information_estimators --output=runs/information [--steps=1500]

x and y have 20 dimensions, each pair of coordinates correlated by rho: I = -10 log(1 - rho^2)
nats. A critic is trained with each bound, then both bounds are read on fresh batches: mean
(bias against the truth) and deviation. InfoNCE cannot exceed the logarithm of the batch. The
second table is the gradient of MINE's bound at a fixed critic: how far the mean gradient of small
batches lies from that of one large batch, without and with the running mean.

Writes estimators.json and estimators.png; about a quarter of an hour on a core.
"""

import functools
import json
import math
import pathlib
from typing import Any

import jax
import jax.flatten_util
import jax.numpy as jnp
import matplotlib
import numpy as np
import optax
from absl import app, flags
from flax import nnx
from tqdm import tqdm

ROOT = pathlib.Path(__file__).resolve().parent.parent

from medst_jax.losses.mutual_information import donsker_varadhan_loss, info_nce_loss
from medst_jax.models.heads.critic import CriticOptions, MlpCritic, pair_scores

_OUTPUT = flags.DEFINE_string("output", "runs/information", "Folder for the results.")
_STEPS = flags.DEFINE_integer("steps", 1500, "Training steps of each critic.")
_SEED = flags.DEFINE_integer("seed", 0, "Of critics and samples.")

DIMENSIONS, BATCH, READINGS = 20, 128, 200
INFORMATION = (0.5, 1.0, 2.0, 4.0, 6.0, 8.0)  # nats
LOSSES = {"infonce": info_nce_loss, "dv": donsker_varadhan_loss}
SMALL, LARGE = 16, 4096  # batches of the gradient's bias


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"unknown arguments: {argv[1:]}")
    cases = [(name, truth) for name in LOSSES for truth in INFORMATION]
    rows = [estimate(name, truth, _STEPS.value, _SEED.value) for name, truth in tqdm(cases)]
    result = {
        "dimensions": DIMENSIONS,
        "batch": BATCH,
        "steps": _STEPS.value,
        "log_batch": math.log(BATCH),
        "estimates": rows,
        "gradient_bias": gradient_bias(2.0, _STEPS.value, _SEED.value),
    }
    folder = pathlib.Path(_OUTPUT.value)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "estimators.json").write_text(json.dumps(result, indent=1) + "\n")
    plot(result, folder / "estimators.png")
    print(json.dumps(result, indent=1))


def correlation(information: float) -> float:
    """rho with which two 20-dimensional Gaussians share `information` nats."""
    return math.sqrt(1 - math.exp(-2 * information / DIMENSIONS))


def sample(key: jax.Array, rows: int, rho: float) -> tuple[jax.Array, jax.Array]:
    """x and y, float32 [rows, 20] each."""
    first, second = jax.random.normal(key, (2, rows, DIMENSIONS))
    return first, rho * first + math.sqrt(1 - rho**2) * second


def make_critic(seed: int) -> tuple[nnx.GraphDef, Any]:
    """An untrained perceptron."""
    options = CriticOptions(hidden=(128, 64))
    return nnx.split(MlpCritic(DIMENSIONS, DIMENSIONS, options, rngs=nnx.Rngs(seed)))


def trained(name: str, rho: float, steps: int, seed: int) -> tuple[nnx.GraphDef, Any]:
    """A critic after `steps` of Adam on fresh batches."""
    graph, state = make_critic(seed)
    optimizer = optax.adam(1e-3)

    def loss(state: Any, key: jax.Array) -> jax.Array:
        x, y = sample(key, BATCH, rho)
        return LOSSES[name](pair_scores(nnx.merge(graph, state), x, y, BATCH))

    def step(carry: Any, key: jax.Array) -> tuple[Any, None]:
        state, moments = carry
        updates, moments = optimizer.update(jax.grad(loss)(state, key), moments)
        return (optax.apply_updates(state, updates), moments), None

    keys = jax.random.split(jax.random.key(seed), steps)
    run = jax.jit(lambda carry, keys: jax.lax.scan(step, carry, keys)[0])
    return graph, run((state, optimizer.init(state)), keys)[0]


def estimate(name: str, truth: float, steps: int, seed: int) -> dict[str, Any]:
    """Mean and deviation of a trained critic's bound over fresh batches, in nats."""
    rho = correlation(truth)
    graph, state = trained(name, rho, steps, seed)

    @jax.jit
    def read(key: jax.Array) -> jax.Array:
        x, y = sample(key, BATCH, rho)
        scores = pair_scores(nnx.merge(graph, state), x, y, BATCH)
        # InfoNCE's loss is the bound short of the logarithm of the candidates.
        offset = math.log(BATCH) if name == "infonce" else 0.0
        return offset - LOSSES[name](scores)

    values = jax.lax.map(read, jax.random.split(jax.random.key(seed + 1), READINGS))
    mean, deviation = float(values.mean()), float(values.std())
    return dict(
        estimator=name, truth=truth, rho=rho, mean=mean, bias=mean - truth, deviation=deviation,
        highest=float(values.max()),
    )  # fmt: skip


def gradient_bias(truth: float, steps: int, seed: int) -> dict[str, float]:
    """Relative error of the mean small-batch gradient of MINE's bound, plain and corrected."""
    rho = correlation(truth)
    graph, state = trained("dv", rho, steps, seed)

    @functools.partial(jax.jit, static_argnums=(1, 2))
    def gradient(key: jax.Array, rows: int, corrected: bool, log_mean: jax.Array) -> jax.Array:
        def loss(state: Any) -> jax.Array:
            x, y = sample(key, rows, rho)
            scores = pair_scores(nnx.merge(graph, state), x, y, min(rows, 256))
            return donsker_varadhan_loss(scores, log_mean=log_mean if corrected else None)

        return jax.flatten_util.ravel_pytree(jax.grad(loss)(state))[0]

    # Where the running mean settles when the critic stands still.
    x, y = sample(jax.random.key(seed + 2), LARGE, rho)
    scores = jnp.where(
        jnp.eye(LARGE, dtype=bool), -jnp.inf, pair_scores(nnx.merge(graph, state), x, y, 256)
    )
    log_mean = jax.nn.logsumexp(scores) - math.log(LARGE * (LARGE - 1))
    exact = gradient(jax.random.key(seed + 2), LARGE, False, log_mean)
    # As many pairs of rows as in the large batch, many times over: what is left is the bias.
    keys = jax.random.split(jax.random.key(seed + 3), 20_000)
    errors = {}
    for name, corrected in (("plain", False), ("corrected", True)):
        total = np.zeros(exact.shape, np.float64)
        for block in np.split(np.arange(len(keys)), 20):
            many = jax.vmap(lambda key, c=corrected: gradient(key, SMALL, c, log_mean))(keys[block])
            total += np.asarray(many, np.float64).sum(0)
        mean = total / len(keys)
        errors[name] = float(np.linalg.norm(mean - exact) / np.linalg.norm(exact))
    return {"small_batch": SMALL, "large_batch": LARGE, **errors}


def plot(result: dict[str, Any], path: pathlib.Path) -> None:
    """Estimates against the truth, with the spread of single batches."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(5, 4))
    axes.plot([0, 8], [0, 8], color="0.6", label="truth")
    axes.axhline(result["log_batch"], color="0.6", linestyle=":", label="log batch")
    for name in LOSSES:
        rows = [row for row in result["estimates"] if row["estimator"] == name]
        truth, mean, spread = ([row[key] for row in rows] for key in ("truth", "mean", "deviation"))
        axes.errorbar(truth, mean, spread, marker="o", capsize=3, label=name)
    axes.set_xlabel("mutual information, nats")
    axes.set_ylabel("estimate on a batch of 128, nats")
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


if __name__ == "__main__":
    app.run(main)
