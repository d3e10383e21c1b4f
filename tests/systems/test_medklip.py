# SPDX-License-Identifier: Apache-2.0
"""MedKLIP and what it shares with KAD: frozen texts, the list that is asked, places that are drawn."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from medst_jax import systems
from medst_jax.losses import place_loss, place_loss_all, query_loss
from medst_jax.models.layers.frozen import Frozen
from medst_jax.options import OptionError
from medst_jax.systems.medklip import MedklipOptions, draw_places
from medst_jax.systems.parts.query_texts import assumed_values, query_values
from medst_jax.text.descriptions import describe_entity
from tests.systems.make_batch import ENTITIES, OPTIONS, OWN, PLACES, TEXT, call, make_batch


def build(**changes):
    return systems.build("medklip", **{**OPTIONS, **TEXT, **OWN["medklip"], **changes})


@pytest.fixture(scope="module")
def system():
    return build()


@pytest.fixture(scope="module")
def encoded(system):
    return call(system, "encode", make_batch(), rngs=jax.random.key(1))


@pytest.mark.parametrize("form", ["drawn", "all"])
def test_the_loss_is_presence_and_place(form, encoded):
    batch, system = make_batch(), build(place_form=form, place_weight=0.5)
    batch["has_frontal"] = jnp.arange(6) != 2
    total, metrics = call(system, "objective", encoded, batch)
    codes = np.where(np.asarray(batch["has_frontal"])[:, None], batch["entities"], -3)
    answers = encoded["answers"]
    exist = query_loss(system.classifier(answers), codes)
    located, vectors = system.place_head(answers), system.place_vectors[...]
    if form == "drawn":
        places = place_loss(located, vectors, encoded["choices"], codes)
    else:
        candidates = ~np.asarray(batch["entity_places"])
        places = place_loss_all(
            located, vectors, batch["entity_place"], codes, candidates=candidates
        )
    np.testing.assert_allclose(total, exist + 0.5 * places, rtol=1e-5)
    np.testing.assert_allclose(metrics["place_loss"][0], places, rtol=1e-5)


def test_places_that_are_drawn_are_not_true_and_follow_the_example():
    batch = make_batch()
    place, places = batch["entity_place"], batch["entity_places"]
    keys = jax.random.split(jax.random.key(0), 6)
    drawn = draw_places(place, places, 3, keys)
    np.testing.assert_array_equal(drawn[..., 0], place)
    others, rows = np.asarray(drawn[..., 1:]), np.asarray(places)
    enough = (~rows).sum(-1) >= 2
    assert enough.any()
    for b, q in zip(*np.nonzero(enough), strict=True):
        assert len(set(others[b, q])) == 2 and not rows[b, q, others[b, q]].any()
    order = np.array([3, 0, 5, 1, 4, 2])
    moved = draw_places(place[order], places[order], 3, keys[order])
    np.testing.assert_array_equal(drawn[order], moved)
    assert np.any(drawn != draw_places(place, places, 3, jax.random.split(jax.random.key(1), 6)))


def test_the_text_encoder_is_frozen_and_its_vectors_are_made_once(system):
    paths = [path for path, _ in nnx.to_flat_state(nnx.state(system, nnx.Param))]
    assert not any(path[0] == "text_encoder" for path in paths)
    frozen = nnx.state(system, Frozen)
    kept = {path[0] for path, _ in nnx.to_flat_state(frozen)}
    assert kept == {"text_encoder", "entity_vectors", "place_vectors"}
    assert system.entity_vectors[...].shape == (3, 16) and system.place_vectors[...].shape == (
        4,
        16,
    )
    # Each is what the encoder says of that text alone.
    for k, row in enumerate(OWN["medklip"]["entity_tokens"]):
        alone = call(system, "describe", jnp.array([row]), jnp.ones((1, len(row)), bool))
        np.testing.assert_allclose(system.entity_vectors[...][k], alone[0], atol=1e-5)
    # Other weights, other vectors: once they are prepared anew.
    other = nnx.clone(system)
    before = np.asarray(other.entity_vectors[...])
    other.text_encoder.word_embeddings.set_value(
        2.0 * other.text_encoder.word_embeddings[...][::-1]
    )
    np.testing.assert_array_equal(other.entity_vectors[...], before)
    other.prepare()
    assert not np.allclose(other.entity_vectors[...], before, atol=1e-3)


def test_a_text_is_asked_beside_the_list_whatever_else_is_asked(system):
    batch = make_batch(5)
    image, tokens, mask = batch["frontal"][:1], batch["tokens"], batch["token_mask"]
    together = call(system, "text_scores", image, tokens, mask)
    alone = [call(system, "text_scores", image, tokens[i : i + 1], mask[i : i + 1]) for i in (0, 3)]
    np.testing.assert_allclose(together[np.array([0, 3])], np.concatenate(alone), atol=1e-5)
    padded = mask.at[1:].set(False)
    one = call(system, "text_scores", image, tokens, padded)
    np.testing.assert_allclose(one[0], together[0], atol=1e-5)


def test_scores_depend_on_the_list_and_not_on_the_batch(system):
    images = make_batch(4)["frontal"]
    logits = call(system, "class_logits", images)
    assert logits.shape == (4, 3) and system.labels == ENTITIES
    np.testing.assert_allclose(call(system, "class_logits", images[2:3])[0], logits[2], atol=1e-5)
    fewer = build(entities=ENTITIES[:2], entity_tokens=OWN["medklip"]["entity_tokens"][:2])
    np.testing.assert_array_equal(fewer.entity_vectors[...], system.entity_vectors[...][:2])
    less = call(fewer, "class_logits", images)
    assert not np.allclose(less, logits[:, :2], atol=1e-6)


def test_maps_are_the_attention_of_the_last_layer(system):
    batch = make_batch(3)
    maps = call(system, "region_scores", batch["frontal"], batch["tokens"], batch["token_mask"])
    assert maps.shape == (3, system.encode_image(batch["frontal"]).local.shape[1])
    np.testing.assert_allclose(maps.sum(1), 1, atol=1e-5)


def test_a_study_without_report_or_image_teaches_nothing(system, encoded):
    batch = make_batch()
    total = call(system, "objective", encoded, batch)[0]
    gone = {**batch, "entities": batch["entities"].at[0].set(-3)}
    blind = {**batch, "has_frontal": batch["has_frontal"].at[0].set(False)}
    without = [call(system, "objective", encoded, b)[0] for b in (gone, blind)]
    assert without[0] == without[1] != total


def test_mistakes_are_named():
    with pytest.raises(OptionError, match="entities or places is empty: .*--entities"):
        build(entities=(), entity_tokens=())
    with pytest.raises(OptionError, match="choices is 5; .* the 4 places"):
        build(choices=5)
    with pytest.raises(OptionError, match="flip is 'horizontal'"):
        build(augment=dict(flip="horizontal"))


class _Letters:
    def encode_batch(self, texts, length):
        ids = np.zeros((len(texts), length), np.int32)
        for row, text in enumerate(texts):
            ids[row, : len(text)] = [ord(c) for c in text[:length]]
        return ids, ids > 0


def test_the_trainer_fills_in_the_list_and_its_texts():
    given = query_values(MedklipOptions, {"text_length": 200}, ("edema",), ("heart",), _Letters())
    assert given["entities"] == ["edema"] and given["places"] == ["heart"]
    assert "".join(map(chr, given["entity_tokens"][0])) == describe_entity("edema")
    named = query_values(MedklipOptions, {"query_text": "name"}, ("edema",), PLACES, _Letters())
    assert "".join(map(chr, named["entity_tokens"][0])) == "edema"
    assert json.loads(json.dumps(given)) == given
    with pytest.raises(OptionError, match="no tokenizer"):
        query_values(MedklipOptions, {}, ("edema",), ("heart",), None)
    clip = systems.system_class("clip").Options
    assert query_values(clip, {}, (), (), None) == assumed_values(clip) == {}
    assert len(assumed_values(MedklipOptions)["entity_tokens"]) == 82
