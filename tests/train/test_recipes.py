# SPDX-License-Identifier: Apache-2.0
"""The first steps of every configuration of paper size are those of its recipe, and so are later ones.

The parameters have the paths of the whole system and the number of its layers, and otherwise a
width of two.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from medst_jax import systems
from medst_jax.options import parse
from medst_jax.parallel import variables_by_path
from medst_jax.systems.parts.query_texts import assumed_values
from medst_jax.train.optimizer import make_optimizer
from medst_jax.train.options import OptimizerOptions
from medst_jax.train.state import abstract_system, split
from tests.configs.expanded import NAMES, paper_size
from tests.train.recipes import RECIPES, Reference


@functools.cache
def parameters(name):
    """Numbers by path, and the axes of each."""
    options = dict(paper_size(name)["system"]) | {"labels": ("A", "B"), "vocabulary_size": 100}
    options |= assumed_values(systems.system_class(options["name"]).Options)
    system = abstract_system(lambda: systems.build(**options))
    rng = np.random.default_rng(len(name))
    values, axes = {}, {}
    for path, variable in variables_by_path(split(system)[1]).items():
        axes[path] = variable.get_metadata()["axes"]
        shape = [
            size if axis == "layers" else min(size, 2)
            for size, axis in zip(variable.get_value().shape, axes[path], strict=True)
        ]
        values[path] = 30.0 * rng.normal(size=shape)  # so that decay counts
    return values, axes


def with_count(state, count):
    """An optimizer's state after `count` updates, with the moments that it has.

    Counted in int64, so that schedules are computed in float64 as the reference is.
    """
    return jax.tree.map(
        lambda leaf: jnp.int64(count) if jnp.issubdtype(leaf.dtype, jnp.integer) else leaf, state
    )


def test_every_configuration_has_a_recipe():
    assert sorted(RECIPES) == NAMES, "write it down in tests/train/recipes.py, from the paper"


@pytest.mark.parametrize("name", NAMES)
def test_steps_are_those_of_the_recipe(name):
    recipe, config = RECIPES[name], paper_size(name)
    values, axes = parameters(name)
    layers = {path: a.index("layers") if "layers" in a else None for path, a in axes.items()}
    reference = Reference(recipe, values, layers)
    warmup = max(adam.warmup for adam in recipe.groups.values())
    rng = np.random.default_rng(1)
    with jax.enable_x64(True):
        held = {path: jnp.asarray(value) for path, value in values.items()}
        params = nnx.from_flat_state(
            [(tuple(p.split("/")), nnx.Param(held[p], axes=axes[p])) for p in held]
        )
        options = parse(OptimizerOptions, config["optimizer"], "config.optimizer")
        optimizer, _ = make_optimizer(options, config["train"]["steps"], params)
        state = optimizer.init(held)
        # The first two, one within the warm-up, one half-way through what follows, the last.
        steps = (0, 1, warmup // 3, (warmup + recipe.steps) // 2, recipe.steps - 1)
        for step in sorted(set(steps)):
            gradients = {path: 0.3 * rng.normal(size=value.shape) for path, value in values.items()}
            updates, state = optimizer.update(
                {path: jnp.asarray(value) for path, value in gradients.items()},
                with_count(state, step),
                held,
            )
            expected = reference.updates(gradients, step)
            assert updates.keys() == expected.keys()
            for path, value in expected.items():
                np.testing.assert_allclose(
                    updates[path], value, rtol=1e-6, atol=1e-15, err_msg=f"{path}, step {step}"
                )


@pytest.mark.parametrize("name", NAMES)
def test_length_and_batch_are_those_of_the_recipe(name):
    recipe, train = RECIPES[name], paper_size(name)["train"]
    assert (train["batch_size"], train["steps"]) == (recipe.batch, recipe.steps)
    if recipe.seen:
        examples, epochs, each = recipe.seen
        assert train["steps"] == pytest.approx(examples * epochs / each, rel=0.015)


def test_the_decay_of_siglip_leaves_what_the_release_leaves():
    """A kernel without gradients, over the whole run."""
    config = paper_size("siglip_b16")
    options = parse(OptimizerOptions, config["optimizer"], "config.optimizer")
    params = nnx.from_flat_state(
        [(("kernel",), nnx.Param(jnp.ones((2, 2)), axes=("embed", "mlp")))]
    )
    optimizer, _ = make_optimizer(options, config["train"]["steps"], params)
    zeros = {"kernel": jnp.zeros((2, 2))}

    def step(carry, _):
        held, state = carry
        updates, state = optimizer.update(zeros, state, held)
        return ({"kernel": held["kernel"] + updates["kernel"]}, state), None

    first = {"kernel": jnp.ones((2, 2))}
    run = jax.jit(lambda c: jax.lax.scan(step, c, length=config["train"]["steps"])[0][0])
    left = run((first, optimizer.init(first)))["kernel"]
    # The mean of the schedule is a half, over the warm-up and over the cosine.
    np.testing.assert_allclose(left, math.exp(-1e-4 * 20_000 / 2), rtol=1e-3)
