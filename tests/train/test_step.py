# SPDX-License-Identifier: Apache-2.0
"""The train step: what it returns, what it keeps, and that the layout does not change it."""

import jax
import numpy as np
import optax
import pytest

from medst_jax import systems
from medst_jax.parallel import make_mesh, put_batch
from medst_jax.train.state import abstract_system, init_state
from medst_jax.train.step import make_train_step


def build():
    return systems.build("toy", width=8)


def prepared(optimizer, **options):
    mesh = make_mesh(devices=jax.devices()[:1])
    step = make_train_step(abstract_system(build), optimizer, mesh, "dp", **options)
    return mesh, step, init_state(build, optimizer, mesh, "dp", ema=options.get("ema", 0.0))


def host(tree):
    return jax.tree.map(np.array, tree)


def test_metrics_are_sums_and_counts(toy):
    mesh, step, state = prepared(optax.sgd(0.1), schedule=optax.constant_schedule(0.1))
    state, metrics = step(state, put_batch(toy.batch(0, 8), mesh))
    assert set(metrics) >= {
        "loss",
        "absolute_error",
        "gradient_norm",
        "parameter_norm",
        "update_norm",
        "learning_rate",
        "finite",
    }
    assert all(s.dtype == c.dtype == np.float32 and s.ndim == 0 for s, c in metrics.values())
    assert float(metrics["absolute_error"][1]) == 8.0
    np.testing.assert_allclose(
        float(metrics["update_norm"][0]), 0.1 * float(metrics["gradient_norm"][0]), rtol=1e-6
    )
    assert int(state.step) == 1


def test_numpy_batch_and_concrete_system_are_accepted(toy):
    mesh, step, state = prepared(optax.sgd(0.1))
    same = make_train_step(build(), optax.sgd(0.1), mesh, "dp")
    other = init_state(build, optax.sgd(0.1), mesh, "dp")
    loss = step(state, toy.batch(0, 8))[1]["loss"]
    assert float(same(other, toy.batch(0, 8))[1]["loss"][0]) == float(loss[0])


def test_batch_statistics_are_returned(toy):
    _, step, state = prepared(optax.sgd(0.1))
    before = host(state.model_state)
    state, _ = step(state, toy.batch(0, 8))
    assert set(before) == {"norm/mean", "norm/var"}
    assert not np.allclose(before["norm/mean"], state.model_state["norm/mean"])


def test_non_finite_step_keeps_the_whole_state(toy):
    _, step, state = prepared(optax.adamw(0.1), ema=0.9)
    state, _ = step(state, toy.batch(0, 8))
    before = host(state)
    state, metrics = step(state, toy.batch(1, 8, bad=1))
    assert float(metrics["finite"][0]) == 0.0
    jax.tree.map(np.testing.assert_array_equal, before, host(state))
    state, metrics = step(state, toy.batch(1, 8))
    assert float(metrics["finite"][0]) == 1.0
    assert int(state.step) == 2


def test_constraint_is_applied_after_the_update(toy):
    _, step, state = prepared(optax.sgd(1e3))
    for number in range(3):
        state, _ = step(state, toy.batch(number, 8))
        assert 0.0 <= float(state.params["log_scale"]) <= 1.0


def test_moving_average_follows_the_parameters(toy):
    _, step, state = prepared(optax.sgd(0.1), ema=0.75)
    first = host(state.params)
    state, _ = step(state, toy.batch(0, 8))
    expected = jax.tree.map(lambda a, b: 0.75 * a + 0.25 * b, first, host(state.params))
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7),
        expected,
        host(state.ema),
    )


def test_draws_depend_on_the_position_not_on_the_row(toy):
    batch = toy.batch(0, 8)
    order = np.random.default_rng(0).permutation(8)
    _, step, state = prepared(optax.sgd(0.0))
    _, _, other = prepared(optax.sgd(0.0))
    straight = step(state, batch)[1]["loss"][0]
    shuffled = step(other, {key: value[order] for key, value in batch.items()})[1]["loss"][0]
    np.testing.assert_allclose(float(straight), float(shuffled), rtol=1e-6)


def test_lowering_needs_only_shapes(toy):
    _, step, _ = prepared(optax.sgd(0.1))
    memory = step.lower(toy.source(8).spec).compile().memory_analysis()
    assert memory.argument_size_in_bytes > 0


@pytest.mark.parametrize("seed", [0, 1])
def test_seed_changes_the_draws(toy, seed):
    losses = []
    for number in (0, seed):
        _, step, state = prepared(optax.sgd(0.1), seed=number)
        losses.append(float(step(state, toy.batch(0, 8))[1]["loss"][0]))
    assert (losses[0] == losses[1]) == (seed == 0)
