# SPDX-License-Identifier: Apache-2.0
"""A program: gradients of CLIP at once and in two passes, on one device and on eight, as JSON.

Run with XLA_FLAGS=--xla_force_host_platform_device_count=8: the number of devices is fixed when
the process starts.
"""

import json
import math

import jax
import jax.numpy as jnp
import optax

from medst_jax import systems
from medst_jax.parallel import make_mesh, put_batch, state_sharding
from medst_jax.train.micro_batches import gradients_in_one_pass, gradients_in_two_passes
from medst_jax.train.state import abstract_system, arrays, init_state, skeleton
from medst_jax.train.step import make_train_step
from tests.systems.make_batch import OPTIONS, TEXT, make_batch

ROWS = 32
IMAGE = dict(name="vit_small", width=16, depth=1, heads=2, patch=16, dropout=0.2)
CASES = {
    "dense": {},
    "ring": dict(loss_form="ring", loss_chunk=3),
}


def evaluate(options, devices: int, count: int, batch, drop: bool = True):
    """(loss, gradients) on a mesh of `devices`, in `count` micro-batches."""
    system = systems.build("clip", **{**OPTIONS, **TEXT, "image": IMAGE, **options})
    parts, (params, model_state) = skeleton(system), arrays(system)
    mesh = make_mesh(devices, devices=jax.devices()[:devices])

    def run(params, batch):
        key = jax.random.key(3) if drop else None
        if count == 1:
            result = gradients_in_one_pass(parts, params, model_state, batch, key)
        else:
            result = gradients_in_two_passes(parts, params, model_state, batch, key, count)
        return result[0], result[3]

    with jax.set_mesh(mesh):
        compiled = jax.jit(run).lower(params, put_batch(batch, mesh)).compile()
        loss, gradients = compiled(params, put_batch(batch, mesh))
    text = compiled.as_text()
    return float(loss), jax.device_get(gradients), text


def step_in_parts(options, devices: int, count: int, batch):
    """Gradients of a train step whose parameters are kept in parts, and how many of them are."""
    state_sharding.SMALLEST = 64  # the parameters here are small

    def build():
        return systems.build("clip", **{**OPTIONS, **TEXT, "image": IMAGE, **options})

    mesh = make_mesh(devices, devices=jax.devices()[:devices])
    descent = optax.sgd(1.0)
    step = make_train_step(abstract_system(build), descent, mesh, "dp", seed=3, micro_batches=count)
    state = init_state(build, descent, mesh, "dp")
    cut = sum(not leaf.sharding.is_fully_replicated for leaf in state.params.values())
    before = jax.device_get(state.params)
    after = jax.device_get(step(state, put_batch(batch, mesh))[0].params)
    return jax.tree.map(lambda b, a: b - a, before, after), cut


def distance(gradients, expected) -> float:
    """Norm of the difference over the norm of `expected`."""
    difference = jax.tree.map(jnp.subtract, gradients, expected)
    return float(optax.tree.norm(difference) / optax.tree.norm(expected))


def main() -> None:
    batch = jax.device_get(make_batch(ROWS))
    results = {}
    for name, options in CASES.items():
        loss, expected, _ = evaluate(options, 1, 1, batch)
        for devices, count in ((1, 2), (1, 8), (8, 1), (8, 2), (8, 4)):
            other, gradients, text = evaluate(options, devices, count, batch)
            results[f"{name} {devices} {count}"] = {
                "loss": abs(other - loss) / abs(loss),
                "gradient": distance(gradients, expected),
                "moves": text.count("all-to-all("),
            }
        gradients, cut = step_in_parts(options, 8, 2, batch)
        results[f"{name} in parts"] = {"gradient": distance(gradients, expected), "cut": cut}
        if name == "dense":
            halves = [
                evaluate(options, 1, 1, {k: v[i::2] for k, v in batch.items()})[:2] for i in (0, 1)
            ]
            mean = jax.tree.map(lambda a, b: (a + b) / 2, halves[0][1], halves[1][1])
            results["accumulated"] = {
                "loss": abs(sum(h[0] for h in halves) / 2 - loss) / abs(loss),
                "gradient": distance(mean, expected),
            }
            quiet = evaluate(options, 1, 1, batch, drop=False)[1]
            results["without draws"] = {"gradient": distance(quiet, expected)}
    assert all(math.isfinite(value) for r in results.values() for value in r.values())
    print(json.dumps(results))


if __name__ == "__main__":
    main()
