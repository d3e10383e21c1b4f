# SPDX-License-Identifier: Apache-2.0
"""gaussian_kl and masked_language_loss against numpy: value, gradient, masks, bf16."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medst_jax import losses
from tests.losses.agreement import (
    assert_agrees,
    assert_bfloat16_is_computed_in_float32,
    assert_silent,
)
from tests.losses.reference import softmax

ROWS = np.array([True, False, True])
PREDICT = np.array([[1, 0, 1, 1], [0, 0, 0, 0], [0, 1, 0, 0]], bool)
TOKENS = np.array([[2, -100, 0, 4], [9, 9, 9, 9], [-1, 3, 77, 0]])


def _gaussians():
    rng = np.random.default_rng(10)
    return [rng.normal(size=(3, 4)) for _ in range(2)]


def _logits() -> np.ndarray:
    return np.random.default_rng(11).normal(size=(3, 4, 5))


def kl(mean, log_variance, mask) -> float:
    terms = [
        0.5 * np.sum(mean[i] ** 2 + np.exp(log_variance[i]) - 1 - log_variance[i])
        for i in np.flatnonzero(mask)
    ]
    return float(np.mean(terms))


def language(logits) -> float:
    return -np.mean([np.log(softmax(logits[b, t])[TOKENS[b, t]]) for b, t in np.argwhere(PREDICT)])


@pytest.mark.parametrize("mask", [None, ROWS])
def test_kl_matches_numpy(mask):
    assert_agrees(
        lambda m, v: losses.gaussian_kl(m, v, mask=mask),
        lambda m, v: kl(m, v, ROWS | (mask is None)),
        _gaussians(),
    )


def test_the_divergence_of_the_prior_from_itself_is_zero():
    assert losses.gaussian_kl(jnp.zeros((3, 4)), jnp.zeros((3, 4))) == 0


def test_language_matches_numpy():
    assert_agrees(lambda x: losses.masked_language_loss(x, TOKENS, PREDICT), language, [_logits()])


def test_what_is_masked_is_never_read():
    poisoned = jnp.asarray(np.where(PREDICT[..., None], _logits(), np.nan))
    value, gradient = jax.jit(
        jax.value_and_grad(lambda x: losses.masked_language_loss(x, TOKENS, PREDICT))
    )(poisoned)
    np.testing.assert_allclose(value, language(_logits()), rtol=1e-6)
    assert np.all(np.isfinite(gradient)) and not np.any(gradient[~PREDICT])
    gaussians = [jnp.asarray(np.where(ROWS[:, None], x, np.nan)) for x in _gaussians()]
    value, gradients = jax.jit(
        jax.value_and_grad(lambda m, v: losses.gaussian_kl(m, v, mask=ROWS), argnums=(0, 1))
    )(*gaussians)
    np.testing.assert_allclose(value, kl(*_gaussians(), ROWS), rtol=1e-6)
    assert all(np.all(np.isfinite(g)) and not np.any(g[~ROWS]) for g in gradients)


def test_nothing_valid_and_bfloat16():
    assert_silent(lambda m, v: losses.gaussian_kl(m, v, mask=ROWS & False), _gaussians())
    assert_silent(lambda x: losses.masked_language_loss(x, TOKENS, PREDICT & False), [_logits()])
    assert_bfloat16_is_computed_in_float32(losses.gaussian_kl, _gaussians())
    assert_bfloat16_is_computed_in_float32(
        lambda x: losses.masked_language_loss(x, TOKENS, PREDICT), [_logits()]
    )


@pytest.mark.usefixtures("without_shape_checks")
def test_shapes_that_disagree_are_named():
    with pytest.raises(ValueError, match=r"log_variance \(3, 3\)"):
        losses.gaussian_kl(jnp.zeros((3, 4)), jnp.zeros((3, 3)))
    with pytest.raises(ValueError, match=r"tokens \(3, 3\)"):
        losses.masked_language_loss(_logits(), TOKENS[:, 1:], PREDICT)
