# SPDX-License-Identifier: Apache-2.0
"""Batch statistics that leave padding out, and attention to an image."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from medst_jax.models import BatchNormHead, CrossAttention
from medst_jax.models.layers.batch_norm import BatchNorm


def values(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def test_masked_rows_are_as_if_they_were_not_there():
    x, mask = values(4, 5, 3), jnp.arange(20).reshape(4, 5) % 3 != 0
    masked, plain = BatchNorm(3), BatchNorm(3)
    dirty = jnp.where(mask[..., None], x, jnp.nan)
    found = masked(dirty, train=True, mask=mask)[mask]
    np.testing.assert_allclose(found, plain(x[mask], train=True), atol=1e-5)
    for name in ("mean", "var"):
        np.testing.assert_allclose(getattr(masked, name)[...], getattr(plain, name)[...], atol=1e-6)


def test_a_mask_of_everything_changes_nothing_and_of_nothing_stays_finite():
    x = values(6, 3)
    head = BatchNormHead(3, 8, 4, rngs=nnx.Rngs(0))
    with_mask = head(x, train=True, mask=jnp.ones(6, bool))
    np.testing.assert_allclose(with_mask, head(x, train=True), atol=1e-5)
    assert np.isfinite(head(x, train=True, mask=jnp.zeros(6, bool))).all()


def test_gradients_do_not_come_from_masked_rows():
    head = BatchNormHead(3, 8, 4, rngs=nnx.Rngs(0))
    mask = jnp.array([True, True, False, True])

    graph, state = nnx.split(head)

    def pure(x):
        made = nnx.merge(graph, state, copy=True)
        y = made(x, train=True, mask=mask)
        return jnp.sum(jnp.where(mask[:, None], y, 0.0) ** 3)

    gradient = jax.grad(pure)(values(4, 3))
    assert np.abs(gradient[:2]).max() > 0 and not np.any(gradient[2])


def test_tokens_see_the_image_and_each_other_not():
    layer = CrossAttention(8, 6, 2, 16, rngs=nnx.Rngs(0))
    x, patches = values(2, 5, 8), values(2, 4, 6, seed=1)
    before = layer(x, patches)
    assert before.shape == x.shape
    assert np.abs(layer(x, patches[::-1]) - before).max() > 1e-6
    moved = layer(x.at[:, 0].add(1.0), patches)
    np.testing.assert_allclose(moved[:, 1:], before[:, 1:], atol=1e-6)
    order = jnp.array([2, 0, 3, 1])
    np.testing.assert_allclose(layer(x, patches[:, order]), before, atol=1e-5)
    with pytest.raises(ValueError, match="width 8 is not divisible by heads 3"):
        CrossAttention(8, 6, 3, 16, rngs=nnx.Rngs(0))
