# SPDX-License-Identifier: Apache-2.0
"""CARZero: the total pair by pair, what is masked, what evaluation compares, one row, bf16."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medst_jax import systems
from medst_jax.options import OptionError
from medst_jax.systems.parts.pairs import negative_mask, paired
from tests.systems.make_batch import OPTIONS, OWN, TEXT, call, make_batch


def build(**changes):
    return systems.build("carzero", **{**OPTIONS, **TEXT, **OWN["carzero"], **changes})


@pytest.fixture(scope="module")
def system():
    return build()


@pytest.fixture(scope="module")
def encoded(system):
    return call(system, "encode", make_batch(), rngs=jax.random.key(1))


def matrices(system, encoded):
    """Scores of all pairs, the parts of one example at a time; those that are absent are not there."""
    decoder = system.decoder

    def answers(questions, side, parts, known):
        rows = []
        for whole, own, there in zip(encoded[side], encoded[parts], known, strict=True):
            every = jnp.concatenate([whole[None], own[np.asarray(there)]])[None]
            mask = jnp.ones(every.shape[:2], bool)
            rows.append(call(decoder, "__call__", questions, every, mask)[0])
        return np.stack(rows, axis=1)

    everywhere = np.ones(encoded["regions"].shape[:2], bool)
    by_text = answers(encoded["text"], "image", "regions", everywhere)
    by_image = answers(encoded["image"], "text", "words", encoded["word_mask"])
    return by_text, by_image


def cross_entropies(scores, negatives, valid):
    terms = []
    for i in valid:
        rivals = [j for j in valid if j == i or negatives[i, j]]
        terms.append(np.log(np.sum(np.exp(scores[i, rivals] - scores[i, i]))))
    return np.mean(terms)


@pytest.mark.parametrize("kind", ["vit", "resnet"])
def test_the_total_is_clips_loss_of_both_matrices(kind, system, encoded):
    batch = make_batch()
    if kind == "resnet":
        system = build(image=OPTIONS["image"])
        encoded = call(system, "encode", batch, rngs=jax.random.key(1))
    found, valid = matrices(system, encoded), np.flatnonzero(paired(batch))
    others = np.asarray(negative_mask(batch))
    assert len(valid) == 5 and not np.all(others | np.eye(6, dtype=bool))
    for system.negatives, allowed in (("all", others | True), ("other_texts", others)):
        total, metrics = call(system, "objective", encoded, batch)
        terms = [
            (cross_entropies(m, allowed, valid) + cross_entropies(m.T, allowed.T, valid)) / 2
            for m in found
        ]
        np.testing.assert_allclose(metrics["text_questions_loss"][0], terms[0], rtol=1e-4)
        np.testing.assert_allclose(metrics["image_questions_loss"][0], terms[1], rtol=1e-4)
        np.testing.assert_allclose(total, sum(terms), rtol=1e-4)
    mean = np.where(np.asarray(paired(batch))[None], found[0].T + found[1], -np.inf)
    hits = sum(mean[i, i] >= mean[i].max() for i in valid)
    assert metrics["image_to_text_accuracy"][0] == hits


def test_rows_without_image_or_text_count_for_nothing(system, encoded):
    batch = make_batch()
    absent = {**batch, "has_frontal": batch["has_frontal"].at[2].set(False)}
    floats = {k: v for k, v in encoded.items() if jnp.issubdtype(v.dtype, jnp.floating)}
    moved = {**encoded, **{key: value.at[2].set(7.0) for key, value in floats.items()}}
    losses = [call(system, "objective", e, absent)[0] for e in (encoded, moved)]
    np.testing.assert_allclose(*losses, rtol=1e-6)
    silent = {**batch, "text_source": batch["text_source"] * 0}
    assert call(system, "objective", encoded, silent)[0] == 0


def test_padding_is_no_word(system):
    batch = make_batch(3)
    cut = [batch[key][:, :8] for key in ("tokens", "token_mask", "word_index")]
    padded = [
        jnp.pad(value, ((0, 0), (0, 4)), constant_values=fill)
        for value, fill in zip(cut, (0, False, -1), strict=True)
    ]
    both = [call(system, "similarities", batch["frontal"], *t) for t in (cut, padded)]
    np.testing.assert_allclose(*both, atol=2e-5)
    assert both[0].shape == (3, 3)


def test_evaluation_takes_the_mean_of_both_directions(system):
    batch = make_batch(3)
    texts = [batch[key] for key in ("tokens", "token_mask", "word_index")]
    scores = call(system, "similarities", batch["frontal"], *texts)
    by_text, by_image = matrices(system, call(system, "encode", batch, rngs=None))
    np.testing.assert_allclose(scores, (by_text.T + by_image) / 2, atol=2e-5)
    each = [call(system, "text_scores", batch["frontal"][i : i + 1], *texts) for i in range(3)]
    np.testing.assert_allclose(scores, np.stack(each), atol=2e-5)
    assert not type(system).has_text and system.has_similarities and system.has_text_scores


def test_a_sentence_shows_where_it_looks(system):
    batch = make_batch(2)
    texts = [batch[key] for key in ("tokens", "token_mask", "word_index")]
    maps = call(system, "region_scores", batch["frontal"], *texts)
    assert maps.shape == call(system, "encode_image", batch["frontal"]).local.shape[:2]
    assert np.all(maps >= 0) and np.all(np.sum(maps, axis=1) < 1)  # the rest goes to the whole
    alone = call(system, "region_scores", *(value[1:] for value in (batch["frontal"], *texts)))
    np.testing.assert_allclose(maps[1:], alone, atol=1e-5)


def test_chunks_change_nothing(system, encoded):
    batch, chunk, values = make_batch(), system.chunk, []
    for system.chunk in (1, 64, chunk):
        values.append(call(system, "objective", encoded, batch)[0])
    np.testing.assert_allclose(values, values[0], rtol=1e-5)


def test_a_batch_of_one_and_bfloat16_give_finite_float32(system):
    assert call(system, "loss", make_batch(1), rngs=None)[0] == 0
    low = dict(
        image={**OWN["carzero"]["image"], "dtype": "bfloat16"},
        text={**TEXT["text"], "dtype": "bfloat16"},
        decoder={**OWN["carzero"]["decoder"], "dtype": "bfloat16"},
    )
    half = call(build(**low), "loss", make_batch(), rngs=None)[0]
    whole = call(build(), "loss", make_batch(), rngs=None)[0]
    assert half.dtype == jnp.float32
    np.testing.assert_allclose(half, whole, rtol=0.1)


def test_widths_that_do_not_meet_are_named():
    with pytest.raises(OptionError, match=r"config\.system\.joint is 24.* it must be 16"):
        build(joint=24)
    wide = {**OWN["carzero"]["image"], "width": 32}
    with pytest.raises(OptionError, match=r"config\.system\.image has width 32.* be 16"):
        build(image=wide)
    with pytest.raises(OptionError, match="reports name sides"):
        build(augment=dict(flip="horizontal"))
