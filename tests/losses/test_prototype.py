# SPDX-License-Identifier: Apache-2.0
"""prototype_loss against numpy: codes, value, gradient, masks, bf16."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medst_jax import losses
from medst_jax.losses.prototype import sinkhorn
from tests.losses import reference_local
from tests.losses.agreement import (
    assert_agrees,
    assert_bfloat16_is_computed_in_float32,
    assert_silent,
)
from tests.losses.reference import unit

MASK = np.array([True, True, False, True, True])


def _inputs():
    rng = np.random.default_rng(6)
    image, text = (unit(rng.normal(size=(5, 4))) for _ in range(2))
    return image, text, rng.normal(size=(3, 4))


@pytest.mark.parametrize("mask", [MASK, MASK | True, np.arange(5) == 1])
def test_value_and_gradient_match_numpy(mask):
    image, text, prototypes = _inputs()
    codes = []
    for rows in (image, text):
        filled = np.zeros((5, 3))
        filled[mask] = reference_local.sinkhorn(rows[mask] @ unit(prototypes).T, 0.3, 4)
        codes.append(filled)

    def loss(image, text, prototypes, temperature):
        return losses.prototype_loss(
            image, text, prototypes, temperature=temperature, epsilon=0.3, iterations=4, mask=mask
        )

    def reading(*arguments):
        return reference_local.prototype(*arguments, codes, mask)

    assert_agrees(loss, reading, [image, text, prototypes, np.float64(0.2)])


def test_codes_use_all_prototypes_alike_and_survive_a_small_epsilon():
    scores = jnp.asarray(np.random.default_rng(0).normal(size=(40, 8)))
    codes = jax.jit(lambda s: sinkhorn(s, jnp.ones(40, bool), 0.5, 12))(scores)
    np.testing.assert_allclose(codes.sum(1), 1.0, rtol=1e-5)
    np.testing.assert_allclose(codes.sum(0), 5.0, rtol=1e-3)
    sharp = jax.jit(lambda s: sinkhorn(s, jnp.ones(40, bool), 1e-3, 3))(scores)
    assert np.all(np.isfinite(sharp))


def test_missing_rows_are_never_read():
    image, text, prototypes = _inputs()
    loss = jax.jit(jax.value_and_grad(losses.prototype_loss, argnums=(0, 1, 2)))
    clean = loss(*map(jnp.asarray, (image[MASK], text[MASK], prototypes)))
    poisoned = [jnp.asarray(np.where(MASK[:, None], x, np.nan)) for x in (image, text)]
    value, gradients = loss(*poisoned, jnp.asarray(prototypes), mask=MASK)
    np.testing.assert_allclose(value, clean[0], rtol=1e-6)
    np.testing.assert_allclose(gradients[2], clean[1][2], atol=1e-6)
    for gradient in gradients[:2]:
        assert np.all(np.isfinite(gradient)) and not np.any(gradient[~MASK])


def test_nothing_valid_one_row_and_bfloat16():
    inputs = _inputs()
    assert_silent(lambda *a: losses.prototype_loss(*a, mask=MASK & False), inputs)
    assert_bfloat16_is_computed_in_float32(losses.prototype_loss, inputs)
    image, text, prototypes = map(jnp.asarray, inputs)
    # One row takes an equal share of every prototype.
    log_shares = [jax.nn.log_softmax(x[0] @ unit(prototypes).T / 0.2) for x in (image, text)]
    expected = -0.5 * sum(float(s.mean()) for s in log_shares)
    alone = jax.jit(losses.prototype_loss)(image[:1], text[:1], prototypes)
    np.testing.assert_allclose(alone, expected, rtol=1e-5)


@pytest.mark.usefixtures("without_shape_checks")
def test_mistakes_are_named():
    image, text, prototypes = _inputs()
    with pytest.raises(ValueError, match=r"prototypes \(3, 3\).*E = 4"):
        losses.prototype_loss(image, text, prototypes[:, 1:])
    with pytest.raises(ValueError, match="iterations is 0"):
        losses.prototype_loss(image, text, prototypes, iterations=0)
