# SPDX-License-Identifier: Apache-2.0
"""MedKLIP's and KAD's losses against their oracles; masks, one example, bfloat16."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medst_jax import losses
from medst_jax.models import unit_norm
from tests.losses.test_oracle_pairs import assert_matches

TOLERANCE = {np.float64: 1e-9, np.float32: 2e-5}


@pytest.fixture(scope="module")
def oracle(shared):
    return lambda name: dict(np.load(shared / "oracle" / f"{name}.npz"))


def _unit(x):
    return x / jnp.linalg.norm(x, axis=-1, keepdims=True)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_medklip_presence_and_places(oracle, dtype):
    o = oracle("medklip")

    def both(features, exist_w, exist_b, place_w, place_b, positions):
        exist = losses.query_loss(features @ exist_w + exist_b, o["labels"])
        projected = features @ place_w + place_b
        return exist + losses.place_loss(projected, positions, o["choices"], o["labels"])

    names = ("features", "exist_w", "exist_b", "place_w", "place_b", "positions")
    wanted = [o[f"grad_{name}"] for name in names]
    assert_matches(both, [o[n] for n in names], o["loss"], wanted, dtype, TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_medklip_each_term_and_all_places(oracle, dtype):
    o = oracle("medklip")
    with jax.enable_x64(dtype == np.float64):
        features, positions = (jnp.asarray(o[name], dtype) for name in ("features", "positions"))
        logits = features @ jnp.asarray(o["exist_w"], dtype) + jnp.asarray(o["exist_b"], dtype)
        projected = features @ jnp.asarray(o["place_w"], dtype) + jnp.asarray(o["place_b"], dtype)
        place = o["choices"][..., 0]
        for value, key in (
            (losses.query_loss(logits, o["labels"]), "exist_loss"),
            (losses.place_loss(projected, positions, o["choices"], o["labels"]), "place_loss"),
            (losses.place_loss_all(projected, positions, place, o["labels"]), "place_loss_all"),
        ):
            np.testing.assert_allclose(value, o[key], rtol=TOLERANCE[dtype], err_msg=key)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_kad_knowledge(oracle, dtype):
    o = oracle("kad")

    def loss(one, two, log_scale):
        similarity = losses.concept_similarity(jnp.asarray(o["concept"]))
        return losses.soft_target_clip_loss(_unit(one), _unit(two), jnp.exp(log_scale), similarity)

    names = ("one", "two", "log_scale")
    wanted = [o[f"knowledge_grad_{name}"] for name in names]
    given = [o[name] for name in names]
    assert_matches(loss, given, o["knowledge_loss_rows"], wanted, dtype, TOLERANCE[dtype])
    targets = jax.nn.softmax(losses.concept_similarity(jnp.asarray(o["concept"])).matrix())
    np.testing.assert_allclose(targets, o["targets_rows"], atol=1e-6)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_kad_stage_two(oracle, dtype):
    o = oracle("kad")

    def loss(image, entity, image_logits, text_logits, log_scale):
        terms = (losses.query_loss(x, o["stage2_labels"]) for x in (image_logits, text_logits))
        contrast = losses.clip_loss(_unit(image), _unit(entity), jnp.exp(log_scale))
        return sum(terms) + contrast

    names = ("image", "entity", "image_logits", "text_logits", "log_scale")
    given = [o[f"stage2_{name}"] for name in names]
    wanted = [o[f"stage2_grad_{name}"] for name in names]
    assert_matches(loss, given, o["stage2_loss"], wanted, dtype, TOLERANCE[dtype])
    blank = np.where(o["stage2_labels"] == -1, 0, o["stage2_labels"])
    np.testing.assert_allclose(
        losses.query_loss(jnp.float32(o["stage2_image_logits"]), blank),
        o["stage2_ce_image_blank_negative"],
        rtol=2e-5,
    )


@pytest.fixture
def case():
    draw = np.random.default_rng(3)
    codes = jnp.int8([[1, 0, -1, -2], [0, 1, 1, -3]])
    place = jnp.int16([[2, -1, -1, -1], [-1, 0, -1, -1]])
    others = jnp.int16(draw.integers(0, 5, (2, 4, 3)))
    choices = jnp.concatenate([place[..., None], others], axis=2)
    features, positions = draw.normal(size=(2, 4, 6)), draw.normal(size=(5, 6))
    return jnp.float32(features), jnp.float32(positions), choices, place, codes


def test_what_is_not_known_has_no_gradient(case):
    features, positions, choices, place, codes = case
    logits = features[..., :2].at[0, 2].set(jnp.nan)
    value, gradient = jax.value_and_grad(losses.query_loss)(logits, codes)
    assert np.isfinite(value)
    moved = np.any(np.asarray(gradient) != 0, axis=2)
    np.testing.assert_array_equal(moved, (codes == 1) | (codes == 0))
    # The third query of the second example is present, and nobody says where.
    for loss, third in ((losses.place_loss, choices), (losses.place_loss_all, place)):
        value, gradient = jax.value_and_grad(loss)(features, positions, third, codes)
        assert np.isfinite(value) and value > 0
        moved = np.any(np.asarray(gradient) != 0, axis=2)
        np.testing.assert_array_equal(moved, [[1, 0, 0, 0], [0, 1, 0, 0]])


def test_nothing_known_is_zero_with_zero_gradient(case):
    features, positions, choices, place, _ = case
    none = jnp.full((2, 4), -2, jnp.int8)
    candidates = jnp.zeros((2, 4, 5), bool)
    for loss in (
        lambda x: losses.query_loss(x[..., :2], none),
        lambda x: losses.place_loss(x, positions, choices, none),
        lambda x: losses.place_loss_all(x, positions, place, none, candidates=candidates),
    ):
        value, gradient = jax.value_and_grad(loss)(features)
        assert value == 0 and not np.any(gradient)


def test_candidates_leave_out_other_true_places(case):
    features, positions, _, place, codes = case
    every = losses.place_loss_all(features, positions, place, codes)
    kept = jnp.ones((2, 4, 5), bool).at[0, 0, 1].set(False).at[0, 0, 2].set(False)
    fewer = losses.place_loss_all(features, positions, place, codes, candidates=kept)
    assert fewer < every
    # The same as choosing among those that are left: the true one, 2, counts all the same.
    first = losses.place_loss(
        features[:1, :1], positions, jnp.int16([[[2, 0, 3, 4]]]), codes[:1, :1]
    )
    second = losses.place_loss_all(features[1:], positions, place[1:], codes[1:])
    np.testing.assert_allclose(fewer, (first + second) / 2, rtol=1e-6)


def test_one_example_and_bfloat16(case):
    features, positions, choices, place, codes = case
    rough = features.astype(jnp.bfloat16)
    for loss in (
        lambda x: losses.query_loss(x[..., :2], codes[:1]),
        lambda x: losses.place_loss(x, positions, choices[:1], codes[:1]),
        lambda x: losses.place_loss_all(x, positions, place[:1], codes[:1]),
    ):
        exact, low = (loss(x[:1]) for x in (features, rough))
        assert low.dtype == jnp.float32
        np.testing.assert_allclose(low, exact, rtol=0.02)


def test_concepts_agree_in_chunks():
    draw = np.random.default_rng(4).normal
    one, two = (unit_norm(jnp.float32(draw(size=(7, 4)))) for _ in range(2))
    similarity = losses.concept_similarity(jnp.int32([3, 3, -1, -1, 5, 3, 5]))
    dense = losses.soft_target_clip_loss(one, two, 5.0, similarity)
    chunked = losses.select("soft_target_clip_loss", "chunked", chunk=3)
    np.testing.assert_allclose(chunked(one, two, 5.0, similarity), dense, rtol=1e-5)


def test_wrong_shapes_are_named(case, without_shape_checks):
    features, positions, choices, place, codes = case
    with pytest.raises(ValueError, match=r"logits .* must be \[B, Q, 2\]"):
        losses.query_loss(features, codes)
    with pytest.raises(ValueError, match=r"places .* must be"):
        losses.place_loss(features, positions, choices[:1], codes)
    with pytest.raises(ValueError, match=r"positions \(5, 4\)"):
        losses.place_loss_all(features, positions[:, :4], place, codes)
