# SPDX-License-Identifier: Apache-2.0
"""LoVT: attention between both sides as the reference, sentences, what is masked, the control."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from medst_jax import systems
from medst_jax.losses.region_contrast import region_contrast_loss
from medst_jax.models.heads.pooled_attention import PooledAttention
from medst_jax.models.heads.shared_attention import SharedAttention
from medst_jax.options import OptionError
from medst_jax.systems.parts.sentences import sentence_maximum
from tests.models.compiled import build, run
from tests.systems.make_batch import OPTIONS, OWN, TEXT, call, make_batch


def options(**changes):
    known = {**OPTIONS, **TEXT, **OWN["lovt"], **changes}
    del known["labels"]
    return known


@pytest.fixture(scope="module")
def system():
    return systems.build("lovt", **options())


@pytest.fixture(scope="module")
def encoded(system):
    return call(system, "encode", make_batch(), rngs=jax.random.key(1))


def test_regions_and_sentences_read_one_another_as_in_the_reference(shared):
    oracle = np.load(shared / "oracle" / "lovt.npz")
    names = ("regions", "sentences", "key_w", "key_b", "value_w", "value_b", "out_w", "out_b")
    attention = nnx.eval_shape(lambda: SharedAttention(4, rngs=nnx.Rngs(0)))
    graph, state = nnx.split(attention)
    mask, everywhere = oracle["sentence_mask"], np.ones((3, 12), bool)

    def terms(regions, sentences, *weights):
        filled = nnx.merge(graph, jax.tree.map(lambda x: jnp.zeros(x.shape), state), copy=True)
        for place, value in zip(names[2:], weights, strict=True):
            layer, kind = place.split("_")
            linear = getattr(filled, layer)
            (linear.kernel if kind == "w" else linear.bias).set_value(value)
        of_regions = filled.read(regions, sentences, mask)
        of_sentences = filled.read(sentences, regions, everywhere)
        losses = []
        for one, two, shares, positives, known in (
            (regions, of_regions, "region_weights", oracle["region_positive"], everywhere),
            (sentences, of_sentences, "sentence_weights", np.eye(5), mask),
        ):
            for sides in ((one, two), (two, one)):
                shared_of = jnp.asarray(oracle[shares])
                losses.append(
                    region_contrast_loss(*sides, shared_of, jnp.asarray(positives), mask=known)
                )
        return 0.375 * sum(losses), (of_regions, of_sentences, losses)

    with jax.enable_x64(True):
        arguments = [jnp.asarray(oracle[name]) for name in names]
        (value, found), gradients = jax.value_and_grad(
            terms, argnums=range(len(names)), has_aux=True
        )(*arguments)
    np.testing.assert_allclose(found[0], oracle["attended_regions"], rtol=1e-9)
    valid = mask[..., None]
    np.testing.assert_allclose(
        np.where(valid, found[1], 0), np.where(valid, oracle["attended_sentences"], 0), rtol=1e-9
    )
    expected = [oracle[f"{s}_loss_{d}"] for s in ("region", "sentence") for d in ("to", "from")]
    np.testing.assert_allclose(found[2], expected, rtol=1e-9)
    np.testing.assert_allclose(value, oracle["loss"], rtol=1e-9)
    for name, gradient in zip(names, gradients, strict=True):
        np.testing.assert_allclose(gradient, oracle[f"grad_{name}"], rtol=1e-7, atol=1e-10)


def test_a_sentence_is_the_maximum_over_its_tokens():
    states = jnp.asarray(np.random.default_rng(0).normal(size=(2, 6, 3)), jnp.float32)
    index = jnp.array([[-1, 0, 0, 1, 2, -1], [-1, 0, 0, 0, 0, -1]])
    found, there = sentence_maximum(states, index, 2)  # the third sentence of the first is dropped
    np.testing.assert_array_equal(there, [[True, True], [True, False]])
    np.testing.assert_array_equal(found[0, 0], states[0, 1:3].max(0))
    np.testing.assert_array_equal(found[0, 1], states[0, 3])
    np.testing.assert_array_equal(found[1], [states[1, 1:5].max(0), np.zeros(3)])


def test_pooling_starts_from_the_mean_of_the_parts_there_are():
    pool = build(lambda: PooledAttention(8, 8, 2, rngs=nnx.Rngs(0)))
    parts = jnp.asarray(np.random.default_rng(1).normal(size=(2, 4, 8)), jnp.float32)
    mask = jnp.array([[True, True, False, False], [True] * 4])
    pooled, shares = run(pool, parts, mask)
    alone, of_alone = run(pool, parts[:1, :2], mask[:1, :2])
    np.testing.assert_allclose(pooled[0], alone[0], atol=1e-6)
    np.testing.assert_allclose(shares[0], [*of_alone[0], 0, 0], atol=1e-6)
    np.testing.assert_allclose(shares.sum(1), 1, atol=1e-6)


def test_padding_of_sentences_changes_nothing(system, encoded):
    batch = make_batch()
    before, _ = call(system, "objective", encoded, batch)
    padding = ~encoded["sentence_mask"][..., None]
    moved = {**encoded, "sentences": jnp.where(padding, 7.0, encoded["sentences"])}
    after, _ = call(system, "objective", moved, batch)
    np.testing.assert_allclose(before, after, rtol=1e-6)


def test_rows_without_a_report_count_for_nothing(system, encoded):
    batch = make_batch()
    absent = np.asarray(batch["text_source"]) == 0
    assert absent.sum() == 1
    total, metrics = call(system, "objective", encoded, batch)
    moved = {
        name: jnp.where(absent.reshape(-1, *[1] * (value.ndim - 1)), 3, value).astype(value.dtype)
        for name, value in encoded.items()
        if name != "sentence_mask"
    }
    again, _ = call(system, "objective", {**encoded, **moved}, batch)
    np.testing.assert_allclose(total, again, rtol=1e-5)
    local = sum(
        float(metrics[f"{s}_{d}_loss"][0]) for s in ("region", "sentence") for d in ("to", "from")
    )
    np.testing.assert_allclose(total, metrics["global_loss"][0] + 0.375 * local, rtol=1e-5)


def test_the_control_reads_the_sentences_of_others_in_the_local_terms_alone(encoded):
    batch = make_batch()
    metrics = {
        name: call(
            systems.build("lovt", **options(local_sentences=name)), "objective", encoded, batch
        )[1]
        for name in ("own", "others")
    }
    own, others = (
        {key: float(value[0]) for key, value in metrics[name].items()} for name in ("own", "others")
    )
    assert own["global_loss"] == others["global_loss"]
    assert all(own[f"region_{d}_loss"] != others[f"region_{d}_loss"] for d in ("to", "from"))
    silent = systems.build("lovt", **options(local_weight=0.0))
    total, _ = call(silent, "objective", encoded, batch)
    np.testing.assert_allclose(total, own["global_loss"], rtol=1e-6)


def test_where_a_sentence_points_is_what_the_attention_says(system):
    batch = make_batch(2)
    arguments = (batch["frontal"], batch["tokens"], batch["token_mask"])
    scores = call(system, "region_scores", *arguments)
    assert scores.shape == (2, 16) and np.ptp(scores, axis=1).min() > 0
    text = call(system, "encode_text", *arguments[1:])
    assert text.global_.shape == (2, 16) and np.all(np.isfinite(text.local))


def test_one_sentence_is_too_few():
    with pytest.raises(OptionError, match="sentences is 1.*at least 2"):
        systems.build("lovt", **options(sentences=1))
