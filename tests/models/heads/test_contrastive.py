# SPDX-License-Identifier: Apache-2.0
"""Heads of joint embedding systems."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from medst_jax.models import Projection, Prototypes, Temperature, aligning_head, unit_norm


def test_unit_norm_of_a_zero_row_is_zero_with_a_finite_gradient():
    x = jnp.array([[0.0, 0.0], [3.0, 4.0]])
    np.testing.assert_allclose(unit_norm(x), [[0, 0], [0.6, 0.8]], atol=1e-6)
    assert np.isfinite(jax.grad(lambda x: unit_norm(x).sum())(x)).all()


def test_projection_and_prototypes_are_of_unit_norm():
    projection = Projection(6, 4, dtype="bfloat16", rngs=nnx.Rngs(0))
    out = projection(jax.random.normal(jax.random.key(0), (3, 6)))
    assert out.dtype == jnp.float32
    np.testing.assert_allclose(jnp.linalg.norm(out, axis=-1), 1.0, rtol=1e-5)
    prototypes = Prototypes(400, 64, rngs=nnx.Rngs(0))
    np.testing.assert_allclose(jnp.linalg.norm(prototypes(), axis=-1), 1.0, rtol=1e-5)
    np.testing.assert_allclose(prototypes.kernel[...].std(), np.sqrt(2 / 64), rtol=0.02)
    for head in (projection, prototypes, Temperature()):
        for _, variable in nnx.to_flat_state(nnx.state(head)):
            assert len(variable.get_metadata("axes")) == variable.ndim


def test_temperature_is_clamped_in_value_and_not_in_gradient():
    for raw, expected in ((2.0, np.exp(2.0)), (9.0, 100.0), (-1.0, 1.0)):
        graphdef, state = nnx.split(Temperature())

        def scale(raw, graphdef=graphdef, state=state):
            filled = jax.tree.map(lambda _: raw, state)
            return nnx.merge(graphdef, filled)()

        value, gradient = jax.value_and_grad(scale)(jnp.float32(raw))
        np.testing.assert_allclose([value, gradient], expected, rtol=1e-5)
    np.testing.assert_allclose(Temperature()(), 1 / 0.07, rtol=1e-5)


def test_aligning_heads_of_either_form_map_to_the_joint_space():
    x = jax.random.normal(jax.random.key(0), (5, 3, 6), jnp.bfloat16)
    mask = jnp.array([True, True, True, False, True])[:, None] & jnp.ones((5, 3), bool)
    spread = {}
    for form in ("batch_norm", "linear"):
        head = aligning_head(form, 6, 16, 4, rngs=nnx.Rngs(0))
        out = head(x, train=True, mask=mask)
        assert out.shape == (5, 3, 4) and np.isfinite(np.asarray(out, np.float32)).all()
        spread[form] = np.asarray(out, np.float32)[np.asarray(mask)].std(0)
    np.testing.assert_allclose(spread["batch_norm"], 1.0, atol=0.05)  # from the first step
    assert (spread["linear"] < 0.9).all()
