# SPDX-License-Identifier: Apache-2.0
"""Learned temperatures: which are clamped, where they are stored, and that they come back."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from medst_jax import systems
from medst_jax.models.heads.contrastive import Temperature
from medst_jax.parallel import make_mesh
from medst_jax.systems.system import System
from medst_jax.train.state import abstract_system, arrays, init_state
from medst_jax.train.step import make_train_step
from tests.systems.make_batch import OPTIONS, TEXT

HIGHEST = float(np.log(np.float32(100.0)))
CLAMPED = {
    "clip": ["scale/log_scale"],
    "unicl": ["scale/log_scale"],
    "medclip": ["scale/log_scale"],
    "unimodal": ["label_head/scale/log_scale"],
    "dlilp": ["label_head/scale/log_scale", "scale/log_scale"],
}
FREE = {"siglip": ["scale/log_scale"], "cxr_clip": ["scale/log_scale"]}


def build(name) -> System:
    return systems.build(name, **(OPTIONS if name == "unimodal" else OPTIONS | TEXT))


def temperatures(system):
    return {path: float(v) for path, v in arrays(system)[0].items() if "log_scale" in path}


def moved(system, value):
    for path, variable in nnx.to_flat_state(nnx.state(system)):
        if path[-1] == "log_scale":
            variable.set_value(jnp.float32(value))
    return system


@pytest.mark.parametrize("name", [*CLAMPED, *FREE])
def test_stored_values_are_clamped_where_the_paper_clamps(name):
    system = build(name)
    assert sorted(temperatures(system)) == (CLAMPED | FREE)[name]
    for value, bound in ((9.0, HIGHEST), (-3.0, 0.0), (2.0, 2.0)):
        moved(system, value).constrain_parameters()
        expected = bound if name in CLAMPED else value
        np.testing.assert_allclose(list(temperatures(system).values()), expected, rtol=1e-6)


class Scale(System):
    """A temperature in a module of a system, and its loss."""

    def __init__(self):
        self.head = nnx.Dict(scale=Temperature())

    def encode(self, batch, *, rngs):
        return batch["x"]

    def objective(self, encoded, batch):
        return jnp.mean(encoded) * self.head["scale"](), {}


def test_a_temperature_that_ran_away_comes_back_at_once():
    mesh, batch = make_mesh(devices=jax.devices()[:1]), {"x": np.ones(2, np.float32)}
    state = init_state(Scale, optax.identity(), mesh, "dp")
    (key,) = state.params

    def step(state, size):
        """An update of the temperature by `size`, whatever the gradient."""
        optimizer = optax.stateless(
            lambda updates, params=None: {key: jnp.full_like(updates[key], size)}
        )
        return make_train_step(abstract_system(Scale), optimizer, mesh, "dp")(state, batch)[0]

    state = step(state, 50.0)
    np.testing.assert_allclose(float(state.params[key]), HIGHEST, rtol=1e-6)
    state = step(state, -0.25)
    np.testing.assert_allclose(float(state.params[key]), HIGHEST - 0.25, rtol=1e-6)
