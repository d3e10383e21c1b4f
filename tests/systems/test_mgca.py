# SPDX-License-Identifier: Apache-2.0
"""MGCA: weights of words, the three terms, and clusters that rest at first."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from medst_jax import systems
from medst_jax.models import ViT, clipped_shares
from medst_jax.options import OptionError
from tests.systems.make_batch import OPTIONS, OWN, TEXT, call, make_batch


@pytest.fixture(scope="module", params=["batch_norm", "linear"])
def system(request):
    options = {**OPTIONS, **TEXT, **OWN["mgca"], "heads": request.param}
    return systems.build("mgca", **options)


def test_shares_are_clipped_at_their_quantiles_and_sum_to_one():
    rng = np.random.default_rng(0)
    values = rng.random((4, 12)).astype(np.float32)
    mask = np.arange(12)[None, :] < np.array([12, 5, 1, 0])[:, None]
    shares = np.asarray(clipped_shares(jnp.asarray(values), jnp.asarray(mask)))
    for row, kept in enumerate(mask):
        if not kept.any():
            assert not shares[row].any()
            continue
        low, high = np.quantile(values[row, kept], [0.1, 0.9])
        expected = np.clip(values[row, kept], low, high)
        np.testing.assert_allclose(shares[row, kept], expected / expected.sum(), rtol=1e-5)
        assert not shares[row, ~kept].any()


def test_words_weigh_what_the_class_token_attends_to(system):
    batch = make_batch()
    encoded = call(system, "encode", batch, rngs=None)
    output = system.text_encoder(batch["tokens"], batch["token_mask"])
    attention = np.asarray(system.text_encoder.attention(output, batch["token_mask"]))
    numbers = np.asarray(batch["word_index"])
    for row in range(len(numbers)):
        words = range(numbers[row].max() + 1)
        to_words = attention[row, :, 0].mean(0)
        sums = np.array([to_words[numbers[row] == word].sum() for word in words])
        kept = np.clip(sums, *np.quantile(sums, [0.1, 0.9]))
        found = encoded["word_weights"][row, : len(sums)]
        np.testing.assert_allclose(found, kept / kept.sum(), atol=1e-5)


def test_the_total_is_the_weighted_sum_of_its_terms():
    weights = dict(global_weight=0.5, local_weight=2.0, prototype_weight=3.0)
    system = systems.build("mgca", **OPTIONS, **TEXT, **OWN["mgca"], **weights)
    total, metrics = call(system, "loss", make_batch(), rngs=None)
    terms = {name: float(value) for name, (value, _) in metrics.items()}
    expected = (
        0.5 * terms["global_loss"]
        + 2.0 * (terms["word_loss"] + terms["patch_loss"])
        + 3.0 * terms["prototype_loss"]
    )
    np.testing.assert_allclose(total, expected, rtol=1e-5)
    assert all(terms[name] > 0 for name in ("global_loss", "word_loss", "prototype_loss"))


def test_equal_words_are_no_negatives_unless_the_options_say_so():
    options = {**OPTIONS, **TEXT, **OWN["mgca"], "heads": "linear"}
    repaired = systems.build("mgca", **options)
    released = systems.build("mgca", **options, local_negatives="all")
    batch, place = make_batch(), np.arange(12)
    for ids, same in ((5 + place, True), (5 + place % 4, False)):
        tokens = jnp.where(batch["token_mask"], ids, 0).astype(jnp.int32)
        one, two = (
            float(call(s, "loss", {**batch, "tokens": tokens}, rngs=None)[1]["word_loss"][0])
            for s in (repaired, released)
        )
        assert (one == two) if same else (one < two - 1e-3)


def test_clusters_rest_in_the_first_steps():
    system = systems.build("mgca", **OPTIONS, **TEXT, **OWN["mgca"], prototype_start=1)
    batch = make_batch()
    graph, params, rest = nnx.split(system, nnx.Param, ...)

    @jax.jit
    def step(rest):
        def loss(params):
            module = nnx.merge(graph, params, rest, copy=True)
            value, _ = module.loss(batch, rngs=None)
            return value, nnx.state(module, nnx.Not(nnx.Param))

        gradient, rest = jax.grad(loss, has_aux=True)(params)
        return gradient["prototypes"]["kernel"][...], rest

    first, rest = step(rest)
    second, _ = step(rest)
    assert not np.any(first) and np.any(second)


def test_rows_without_text_and_padding_change_nothing(system):
    batch = make_batch()
    before = call(system, "loss", batch, rngs=None)[0]
    silent = (batch["text_source"] == 0)[:, None]
    tokens = jnp.where(batch["token_mask"] & ~silent, batch["tokens"], 9)
    after = call(system, "loss", {**batch, "tokens": tokens}, rngs=None)[0]
    np.testing.assert_allclose(before, after, rtol=1e-5)


def test_a_batch_of_one_is_finite(system):
    assert np.isfinite(call(system, "loss", make_batch(1), rngs=None)[0])


def test_encoders_without_a_map_or_a_class_token_are_refused():
    for image, named in (
        ({"name": "swin_tiny"}, "name is 'swin_tiny'.*ResNet"),
        ({"name": "vit_small", "pooling": "map"}, "pooling is 'map'.*class token"),
    ):
        with pytest.raises(OptionError, match=named):
            systems.build("mgca", **{**OPTIONS, "image": image}, **TEXT)


VIT = dict(name="vit_small", patch=8, width=16, depth=2, heads=2)


@pytest.fixture(scope="module")
def of_patches():
    return systems.build("mgca", **{**OPTIONS, "image": VIT}, **TEXT, **OWN["mgca"])


def test_patches_weigh_what_the_class_token_attends_to(of_patches):
    batch = make_batch()
    encoded = call(of_patches, "encode", batch, rngs=None)
    # The input of the last layer by a ViT of one layer less, and the attention by its formula.
    encoder = of_patches.image_encoder
    blocks = nnx.state(encoder.blocks)
    shorter = ViT(dataclasses.replace(encoder.options, depth=1), rngs=nnx.Rngs(0))
    state = nnx.state(encoder)
    state["blocks"] = jax.tree.map(lambda x: x[:1], blocks)
    state["norm"] = nnx.state(shorter.norm)
    nnx.update(shorter, state)
    inner, found = [], np.asarray(encoded["patch_weights"])
    shorter.norm = lambda x: inner.append(x) or x
    shorter(of_patches.preprocess(batch["frontal"]))
    x = np.asarray(inner[0], np.float64)
    norm = {k: np.asarray(v[1]) for k, v in nnx.to_pure_dict(blocks["norm1"]).items()}
    attn = nnx.to_pure_dict(blocks["attn"]["qkv"])
    kernel, bias = np.asarray(attn["kernel"][1]), np.asarray(attn["bias"][1])
    x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-6)
    x = x * norm["scale"] + norm["bias"]
    query, key, _ = np.moveaxis(np.einsum("bld,dchk->blchk", x, kernel) + bias, 2, 0)
    scores = np.einsum("bhk,bmhk->bhm", query[:, 0], key) / np.sqrt(8)
    shares = np.exp(scores - scores.max(-1, keepdims=True))
    shares = (shares / shares.sum(-1, keepdims=True)).mean(1)[:, 1:]
    for row, mine in zip(shares, found, strict=True):
        kept = np.clip(row, *np.quantile(row, [0.1, 0.9]))
        np.testing.assert_allclose(mine, kept / kept.sum(), rtol=2e-3)


def test_the_form_of_a_vit_has_patches_for_regions_and_trains(of_patches):
    batch = make_batch()
    encoded = call(of_patches, "encode", batch, rngs=None)
    assert encoded["patches"].shape == (6, 16, 16) and encoded["image"].shape == (6, 16)
    assert call(of_patches, "encode_image", batch["frontal"]).local.shape == (6, 16, 16)
    graph, params, rest = nnx.split(of_patches, nnx.Param, ...)

    @jax.jit
    def step(params):
        def loss(params):
            return nnx.merge(graph, params, rest, copy=True).loss(batch, rngs=jax.random.key(0))[0]

        value, gradient = jax.value_and_grad(loss)(params)
        # As far along the gradient as should lower the loss by a hundredth.
        rate = 0.01 / optax.tree.norm(gradient, squared=True)
        return value, jax.tree.map(lambda p, g: p - rate * g, params, gradient), gradient

    first, params, gradient = step(params)
    second, _, _ = step(params)
    assert 0.005 < first - second < 0.015
    for name in ("patch_embed", "blocks", "cls_token"):
        leaves = jax.tree.leaves(gradient["image_encoder"][name])
        assert all(np.isfinite(leaf).all() for leaf in leaves) and np.any(leaves[0])


def test_the_weights_of_patches_carry_no_gradient(of_patches):
    batch = make_batch()
    graph, params, rest = nnx.split(of_patches, nnx.Param, ...)
    random = np.random.default_rng(0).normal(size=(6, 16)).astype(np.float32)

    @jax.jit
    def gradient(params):
        def mixed(params):
            encoded = nnx.merge(graph, params, rest, copy=True).encode(batch, rngs=None)
            return jnp.sum(encoded["patch_weights"] * random)

        return jax.grad(mixed)(params)

    assert not any(np.any(leaf) for leaf in jax.tree.leaves(gradient(params)))
