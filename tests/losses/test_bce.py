# SPDX-License-Identifier: Apache-2.0
"""masked_bce_loss against numpy: value, gradient, unknown labels, empty rows, bf16."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medst_jax import losses
from tests.losses import reference


def _inputs():
    rng = np.random.default_rng(3)
    logits = rng.normal(size=(6, 4)) * 3
    labels = (rng.random((6, 4)) < 0.5) * 1.0
    known = rng.random((6, 4)) < 0.6
    known[2] = False
    return logits, labels, known


def test_value_and_gradient_match_numpy():
    logits, labels, known = _inputs()
    value, gradient = jax.jit(jax.value_and_grad(losses.masked_bce_loss))(
        jnp.asarray(logits), labels, known
    )
    np.testing.assert_allclose(value, reference.masked_bce(logits, labels, known), rtol=2e-6)
    expected = reference.numeric_gradient(reference.masked_bce, [logits, labels, known], 0)
    np.testing.assert_allclose(gradient, expected, atol=1e-6)
    assert not np.any(gradient[2])


def test_masked_values_are_never_read():
    logits, labels, known = _inputs()
    poisoned = np.where(known, labels, np.nan)
    value, gradient = jax.value_and_grad(losses.masked_bce_loss)(
        jnp.asarray(logits), poisoned, known
    )
    np.testing.assert_allclose(value, reference.masked_bce(logits, labels, known), rtol=2e-6)
    assert np.all(np.isfinite(gradient))


def test_nothing_known_is_zero_and_one_row_works():
    logits, labels, known = _inputs()
    value, gradient = jax.value_and_grad(losses.masked_bce_loss)(
        jnp.asarray(logits), labels, known & False
    )
    assert value == 0 and not np.any(gradient)
    one = losses.masked_bce_loss(jnp.asarray(logits[:1]), labels[:1], np.ones((1, 4), bool))
    np.testing.assert_allclose(
        one, reference.masked_bce(logits[:1], labels[:1], np.ones((1, 4), bool)), rtol=2e-6
    )


def test_bfloat16_and_large_logits_stay_finite():
    logits = jnp.asarray([[300.0, -300.0]], jnp.bfloat16)
    value = losses.masked_bce_loss(logits, jnp.asarray([[1.0, 0.0]]), jnp.ones((1, 2), bool))
    assert value.dtype == jnp.float32 and value == 0


@pytest.mark.usefixtures("without_shape_checks")
def test_shapes_that_disagree_are_named():
    with pytest.raises(ValueError, match=r"logits \(2, 3\)"):
        losses.masked_bce_loss(jnp.zeros((2, 3)), jnp.zeros((2, 2)), jnp.zeros((2, 3)))
