# SPDX-License-Identifier: Apache-2.0
"""Self-attention against the textbook formula in numpy, where every bias is added at its place."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from medst_jax.models.layers.attention import SelfAttention

WIDTH, HEADS, TOKENS = 12, 3, 5


def made(**options) -> SelfAttention:
    """Attention whose biases are not zero."""
    init = nnx.initializers.normal(0.5)
    attention = SelfAttention(WIDTH, HEADS, kernel_init=init, rngs=nnx.Rngs(0), **options)
    rng = np.random.default_rng(1)
    for linear in (attention.qkv, attention.out):
        if linear.bias is not None:
            linear.bias[...] = jnp.asarray(rng.normal(size=linear.bias.shape), jnp.float32)
    return attention


def inputs(batch: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(2)
    mask = np.arange(TOKENS) < np.array([TOKENS, 2, 1])[:batch, None]
    return rng.normal(size=(batch, TOKENS, WIDTH)).astype(np.float32), mask


def expected(attention: SelfAttention, x: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """Float64, one example, head and token at a time."""
    kernel = np.asarray(attention.qkv.kernel[...], np.float64)
    bias = np.zeros((3, HEADS, WIDTH // HEADS))
    if attention.qkv.bias is not None:
        bias = np.asarray(attention.qkv.bias[...], np.float64)
    last, shift = (
        np.asarray(p[...], np.float64) for p in (attention.out.kernel, attention.out.bias)
    )
    result = np.tile(shift, (*x.shape[:2], 1))
    for b, rows in enumerate(x):
        for h in range(HEADS):
            query, key, value = (rows @ kernel[:, k, h] + bias[k, h] for k in range(3))
            for token in range(TOKENS):
                scores = key @ query[token] / np.sqrt(WIDTH // HEADS)
                allowed = np.ones(TOKENS, bool) if mask is None else mask[b].copy()
                if attention.causal:
                    allowed &= np.arange(TOKENS) <= token
                powers = np.where(allowed, np.exp(scores - scores.max()), 0)
                result[b, token] += (powers / powers.sum()) @ value @ last[h]
    return result


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("qkv_bias", [True, False])
@pytest.mark.parametrize("batch,masked", [(3, True), (3, False), (1, True)])
def test_value(causal: bool, qkv_bias: bool, batch: int, masked: bool) -> None:
    attention, (x, mask) = made(causal=causal, qkv_bias=qkv_bias), inputs(batch)
    given = mask if masked else None
    found = attention(jnp.asarray(x), given if given is None else jnp.asarray(given))
    np.testing.assert_allclose(found, expected(attention, x, given), atol=2e-5, rtol=2e-5)


def test_gradients_of_the_biases() -> None:
    """By differences of the formula; that of the keys' bias is zero."""
    attention, (x, mask) = made(), inputs(3)
    weights = np.random.default_rng(3).normal(size=(3, TOKENS, WIDTH))

    def total(module: SelfAttention) -> jax.Array:
        return (module(jnp.asarray(x), jnp.asarray(mask)) * weights).sum()

    grads = nnx.grad(total)(attention)
    found = np.asarray(grads["qkv"]["bias"][...])
    start = np.asarray(attention.qkv.bias[...])
    for place in np.ndindex(*found.shape):
        ends = []
        for step in (1e-4, -1e-4):
            moved = start.astype(np.float64)
            moved[place] += step
            other = made()
            # The formula reads float64 parameters as they are.
            other.qkv.bias = nnx.Param(np.asarray(moved))
            ends.append((expected(other, x, mask) * weights).sum())
        assert found[place] == pytest.approx((ends[0] - ends[1]) / 2e-4, abs=2e-3, rel=2e-3)
    np.testing.assert_array_equal(found[1], 0)
    out = (np.asarray(weights)).sum((0, 1))
    np.testing.assert_allclose(grads["out"]["bias"][...], out, rtol=1e-4, atol=1e-4)


def test_dropped_weights_scale_the_bias_of_the_values() -> None:
    """With dropout the weights of a query do not sum to 1: the values carry their bias then."""
    attention = made(dropout_rate=0.5)
    attention.qkv.kernel[...] = jnp.zeros_like(attention.qkv.kernel[...])
    x, _ = inputs(3)
    keys = jax.vmap(jax.random.key)(jnp.arange(3))
    dropped = np.asarray(attention(jnp.asarray(x), keys=keys))
    kept = np.asarray(attention(jnp.asarray(x)))
    # Values are their bias alone: a head gives it times the share of weights that were kept.
    assert not np.allclose(dropped, kept)
    value = np.asarray(attention.qkv.bias[...][2], np.float64)
    parts = np.einsum("hk,hkd->hd", value, np.asarray(attention.out.kernel[...], np.float64))
    shift = np.asarray(attention.out.bias[...], np.float64)
    shares = np.linalg.lstsq(parts.T, (dropped - shift).reshape(-1, WIDTH).T, rcond=None)[0]
    # Of five weights of 1/5, doubled where kept.
    np.testing.assert_allclose(shares * 2.5, np.round(shares * 2.5), atol=1e-3)
    np.testing.assert_allclose(kept, np.broadcast_to(shift + parts.sum(0), kept.shape), atol=1e-4)


def test_bfloat16_inputs() -> None:
    attention, (x, mask) = made(dtype="bfloat16"), inputs(3)
    found = attention(jnp.asarray(x, jnp.bfloat16), jnp.asarray(mask))
    assert found.dtype == jnp.bfloat16
    np.testing.assert_allclose(
        np.asarray(found, np.float64), expected(attention, x, mask), atol=0.08, rtol=0.05
    )
