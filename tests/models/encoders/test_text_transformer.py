# SPDX-License-Identifier: Apache-2.0
"""Text transformer and attention pooling: against numpy, padding, poolings, dtype."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from medst_jax.models import (
    TextTransformer,
    TextTransformerOptions,
    ViT,
    ViTOptions,
    from_pretrained,
    load_pretrained,
    save_pretrained,
)
from medst_jax.models.layers.attention_pool import AttentionPool
from tests.models.compiled import run


def _make(**changes):
    options = TextTransformerOptions.small(13, max_length=8, width=16, mlp=32, **changes)
    return TextTransformer(options, rngs=nnx.Rngs(0))


def _texts():
    mask = np.arange(8) < np.array([8, 3, 1])[:, None]
    tokens = np.random.default_rng(0).integers(1, 13, (3, 8)).astype(np.int32) * mask
    return jnp.asarray(tokens), jnp.asarray(mask)


@pytest.mark.parametrize("pooling", ["last", "map"])
def test_padding_and_neighbours_change_nothing(pooling):
    model = _make(pooling=pooling)
    tokens, mask = _texts()
    whole = run(model, tokens, mask)
    alone = run(model, tokens[1:2, :3], mask[1:2, :3])
    np.testing.assert_allclose(whole.pooled[1], alone.pooled[0], atol=1e-5)
    np.testing.assert_allclose(whole.tokens[1, :3], alone.tokens[0], atol=1e-5)


def test_last_pooling_takes_the_last_valid_token():
    tokens, mask = _texts()
    out = run(_make(), tokens, mask)
    expected = np.stack([out.tokens[0, 7], out.tokens[1, 2], out.tokens[2, 0]])
    np.testing.assert_allclose(out.pooled, expected, atol=1e-6)


def test_order_of_tokens_matters_and_attention_sees_both_ways():
    tokens, mask = _texts()
    model = _make()
    out = run(model, tokens, mask)
    swapped = run(model, tokens.at[0, :2].set(tokens[0, 1::-1]), mask)
    assert np.abs(out.pooled[0] - swapped.pooled[0]).max() > 1e-4
    changed = run(model, tokens.at[0, 7].set(tokens[0, 7] % 12 + 1), mask)
    assert np.abs(out.tokens[0, 0] - changed.tokens[0, 0]).max() > 1e-5


def test_too_long_a_text_is_named():
    with pytest.raises(ValueError, match="9 tokens; this TextTransformer takes 8"):
        _make()(jnp.zeros((1, 9), jnp.int32), jnp.ones((1, 9), bool))


def test_bfloat16_stays_close():
    tokens, mask = _texts()
    full, half = run(_make(), tokens, mask), run(_make(dtype="bfloat16"), tokens, mask)
    assert half.tokens.dtype == jnp.bfloat16 and half.pooled.dtype == jnp.float32
    np.testing.assert_allclose(half.pooled, full.pooled, atol=0.06)


def test_attention_pool_against_numpy():
    pool = AttentionPool(
        8,
        2,
        16,
        activation="gelu_tanh",
        epsilon=1e-6,
        kernel_init=nnx.initializers.normal(0.5),
        dtype="float32",
        rngs=nnx.Rngs(0),
    )
    x = np.random.default_rng(0).normal(size=(3, 5, 8)).astype(np.float32)
    mask = np.arange(5) < np.array([5, 2, 4])[:, None]
    p = {k: np.asarray(v) for k, v in _flat(pool).items()}
    query = np.einsum("d,dhe->he", p["latent"][0, 0], p["q/kernel"]) + p["q/bias"]
    keys, values = np.moveaxis(np.einsum("bld,dkhe->bklhe", x, p["kv/kernel"]), 1, 0)
    keys, values = keys + p["kv/bias"][0], values + p["kv/bias"][1]
    scores = np.einsum("he,blhe->bhl", query, keys) / 2.0
    weights = np.exp(scores) * mask[:, None]
    weights /= weights.sum(-1, keepdims=True)
    y = np.einsum("bhl,blhe,hed->bd", weights, values, p["proj/kernel"]) + p["proj/bias"]
    normal = (y - y.mean(-1, keepdims=True)) / np.sqrt(y.var(-1, keepdims=True) + 1e-6)
    hidden = (normal * p["norm/scale"] + p["norm/bias"]) @ p["mlp/fc1/kernel"] + p["mlp/fc1/bias"]
    hidden = 0.5 * hidden * (1 + np.tanh(np.sqrt(2 / np.pi) * (hidden + 0.044715 * hidden**3)))
    expected = y + hidden @ p["mlp/fc2/kernel"] + p["mlp/fc2/bias"]
    np.testing.assert_allclose(run(pool, jnp.asarray(x), jnp.asarray(mask)), expected, atol=2e-5)


def _flat(module):
    state = nnx.to_flat_state(nnx.state(module, nnx.Param))
    return {"/".join(map(str, path)): variable.get_value() for path, variable in state}


def test_vit_with_attention_pooling_has_no_class_token():
    options = ViTOptions.small(image_size=16, width=32, depth=1, heads=2, pooling="map")
    model = ViT(options, rngs=nnx.Rngs(0))
    out = run(model, jax.random.normal(jax.random.key(0), (2, 16, 16, 3)))
    assert out.tokens.shape == out.patches.shape == (2, 4, 32)
    assert out.pooled.shape == (2, 32) and out.pooled.dtype == jnp.float32
    assert not hasattr(model, "cls_token")


def test_attention_pooling_goes_out_and_comes_back_under_timm_names(tmp_path):
    options = ViTOptions.small(image_size=16, width=64, depth=2, heads=1, pooling="map")
    model = ViT(options, rngs=nnx.Rngs(0))
    save_pretrained(model, tmp_path / "model.safetensors", "timm")
    loaded, _ = from_pretrained(tmp_path / "model.safetensors", "timm")
    assert (loaded.options.pooling, loaded.options.activation) == ("map", "gelu_tanh")
    images = jax.random.normal(jax.random.key(0), (2, 16, 16, 3))
    same = ViT(dataclasses.replace(options, activation="gelu_tanh"), rngs=nnx.Rngs(1))
    load_pretrained(same, tmp_path / "model.safetensors", "timm")
    np.testing.assert_array_equal(run(loaded, images).pooled, run(same, images).pooled)
