# SPDX-License-Identifier: Apache-2.0
"""MGCA: weights of words, the three terms, and clusters that rest at first."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from medst_jax import systems
from medst_jax.models import clipped_shares
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


def test_encoders_without_a_map_are_refused():
    with pytest.raises(OptionError, match="vit_small.*ResNet"):
        systems.build("mgca", **{**OPTIONS, "image": {"name": "vit_small"}}, **TEXT)
