# SPDX-License-Identifier: Apache-2.0
"""GLoRIA: what is summed over layers and words, and the two terms of its objective."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medst_jax import systems
from medst_jax.losses import clip_loss, gloria_local_loss
from medst_jax.options import OptionError
from medst_jax.systems.parts.pairs import negative_mask
from medst_jax.systems.parts.towers import last_layers, regions
from tests.systems.make_batch import OPTIONS, TEXT, make_batch


@pytest.fixture(scope="module")
def system():
    return systems.build("gloria", **OPTIONS, **TEXT)


@pytest.fixture(scope="module")
def encoded(system):
    return system.encode(make_batch(), rngs=None)


def test_words_are_sums_of_their_pieces_over_the_last_layers(system, encoded):
    batch = make_batch()
    states = system.text_encoder(batch["tokens"], batch["token_mask"]).hidden_states
    total = np.sum([np.asarray(s) for s in states[-4:]], axis=0)
    numbers = np.asarray(batch["word_index"])
    for row in range(len(numbers)):
        for word in range(numbers[row].max() + 1):
            expected = total[row][numbers[row] == word].sum(0)
            np.testing.assert_allclose(encoded["words"][row, word], expected, atol=1e-5)
        assert encoded["word_mask"][row].sum() == numbers[row].max() + 1
        mean = total[row][np.asarray(batch["token_mask"][row])].mean(0)
        np.testing.assert_allclose(encoded["text"][row], mean / np.linalg.norm(mean), atol=1e-5)


def test_regions_are_the_cells_of_the_stage_before_the_last(system, encoded):
    images = system.preprocess(make_batch()["frontal"])
    stage = system.image_encoder(images, train=True).stages[-2]
    expected = stage.reshape(6, -1, stage.shape[-1]) @ system.region_head.linear.kernel[...]
    np.testing.assert_allclose(encoded["regions"], expected, atol=1e-4)
    assert system.region_head.linear.bias is None


def test_the_total_is_both_directions_of_both_terms(system, encoded):
    batch = make_batch()
    total, metrics = system.objective(encoded, batch)
    mask = batch["text_source"] > 0
    arguments = dict(mask=mask, negative_mask=negative_mask(batch))
    pairs = clip_loss(encoded["image"], encoded["text"], 10.0, **arguments)
    words = encoded["word_mask"] & mask[:, None]
    given = (encoded["words"], encoded["regions"], words)
    local = gloria_local_loss(*given, negative_mask=negative_mask(batch))
    np.testing.assert_allclose(total, 2 * pairs + local, rtol=1e-5)
    np.testing.assert_allclose(metrics["local_loss"][0], local, rtol=1e-5)


def test_equal_texts_are_negatives_where_the_options_say_so(encoded):
    batch = make_batch()
    released = systems.build("gloria", **OPTIONS, **TEXT, negatives="all", local_negatives="all")
    total, _ = released.objective(encoded, batch)
    mask = batch["text_source"] > 0
    pairs = clip_loss(encoded["image"], encoded["text"], 10.0, mask=mask)
    words = encoded["word_mask"] & mask[:, None]
    local = gloria_local_loss(encoded["words"], encoded["regions"], words)
    np.testing.assert_allclose(total, 2 * pairs + local, rtol=1e-5)


def test_similarities_are_the_mean_of_the_whole_and_of_the_best_word(system):
    batch = make_batch()
    images, texts = batch["frontal"][:2], (batch["tokens"], batch["token_mask"])
    words = batch["word_index"]
    found = np.asarray(system.similarities(images, *texts, words))
    whole = system.encode_image(images).global_ @ system.encode_text(*texts).global_.T
    cells = np.asarray(
        system.region_head(regions(system.image_encoder(system.preprocess(images)), -2))
    )
    states = np.asarray(last_layers(system.text_encoder, *texts))
    for i in range(2):
        for j in range(6):
            spoken = np.stack(
                [states[j][words[j] == k].sum(0) for k in range(int(words[j].max()) + 1)]
            )
            scores = np.exp(spoken @ cells[i].T - (spoken @ cells[i].T).max(0))
            attention = np.exp(4.0 * scores / scores.sum(0))
            context = attention / attention.sum(1, keepdims=True) @ cells[i]
            norms = np.linalg.norm(spoken, axis=1) * np.linalg.norm(context, axis=1)
            best = np.log(np.max(np.exp(5.0 * (spoken * context).sum(1) / norms)))
            np.testing.assert_allclose(found[i, j], (whole[i, j] + best) / 2, atol=2e-5)
    assert system.has_similarities and system.reads_words
    np.testing.assert_allclose(system.text_scores(images[:1], *texts, words), found[0], atol=1e-6)
    alone = systems.build("gloria", **OPTIONS, **TEXT, similarity="global")
    assert not alone.has_similarities
    whole = alone.encode_image(images).global_ @ alone.encode_text(*texts).global_.T
    np.testing.assert_allclose(alone.similarities(images, *texts, words), whole, atol=1e-6)


def test_padding_changes_nothing(system, encoded):
    batch = make_batch()
    tokens = jnp.where(batch["token_mask"], batch["tokens"], 7)
    before, after = (
        system.loss({**batch, "tokens": t}, rngs=None)[0] for t in (batch["tokens"], tokens)
    )
    np.testing.assert_allclose(before, after, rtol=1e-5)


def test_forms_agree(system, encoded):
    batch = make_batch()
    chunked = systems.build(
        "gloria", **OPTIONS, **TEXT, loss_form="chunked", loss_chunk=2, local_chunk=4
    )
    floats = {key: encoded[key] for key in ("image", "regions", "text", "words")}

    def run(system):
        return jax.value_and_grad(lambda e: system.objective({**encoded, **e}, batch)[0])(floats)

    for one, two in zip(*(jax.tree.leaves(run(s)) for s in (system, chunked)), strict=True):
        np.testing.assert_allclose(one, two, atol=2e-5)


def test_a_batch_of_one_is_finite(system):
    value, gradient = jax.value_and_grad(
        lambda e: system.objective(e, make_batch(1))[0], allow_int=True
    )(system.encode(make_batch(1), rngs=None))
    assert np.isfinite(value)
    assert all(
        np.all(np.isfinite(leaf))
        for leaf in jax.tree.leaves(gradient)
        if jnp.issubdtype(leaf.dtype, jnp.floating)
    )


def test_what_does_not_fit_is_refused():
    with pytest.raises(OptionError, match="joint is 24.*must be 16"):
        systems.build("gloria", **{**OPTIONS, "joint": 24}, **TEXT)
    with pytest.raises(OptionError, match="flip is 'horizontal'"):
        systems.build("gloria", **{**OPTIONS, "augment": {"flip": "horizontal"}}, **TEXT)
