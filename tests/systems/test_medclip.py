# SPDX-License-Identifier: Apache-2.0
"""MedCLIP: targets from labels of images and of texts, whoever they belong to."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medst_jax import systems
from medst_jax.options import OptionError
from tests.systems.make_batch import OPTIONS, TEXT, make_batch


def _softmax(x, axis):
    powers = np.exp(x - x.max(axis, keepdims=True))
    return powers / powers.sum(axis, keepdims=True)


def _known(batch):
    found = (np.asarray(batch["text_source"]) > 0) & np.asarray(batch["has_frontal"])
    for mask in ("label_mask", "text_label_mask"):
        found &= np.asarray(batch[mask]).any(1)
    return np.flatnonzero(found)


@pytest.fixture(scope="module")
def system():
    return systems.build("medclip", **OPTIONS, **TEXT)


@pytest.fixture(scope="module")
def encoded(system):
    return system.encode(make_batch(), rngs=None)


@pytest.mark.parametrize("similarity", ["product", "cosine"])
def test_the_objective_is_a_cross_entropy_to_soft_targets(system, encoded, similarity):
    batch = make_batch()
    rows = _known(batch)
    assert 2 < len(rows) <= 5
    losses = []
    for text_key, drawn in (("text", "text_"), ("second_text", "second_")):
        sides = [
            np.where(batch[f"{side}label_mask"], batch[f"{side}labels"], 0.0)[rows]
            for side in ("", drawn)
        ]
        if similarity == "cosine":
            sides = [x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12) for x in sides]
        alike = sides[0] @ sides[1].T
        image, text = (np.asarray(encoded[side])[rows] for side in ("image", text_key))
        logits = float(system.scale()) * image @ text.T
        terms = [
            -np.mean(np.sum(_softmax(alike, axis) * np.log(_softmax(logits, axis)), axis))
            for axis in (1, 0)
        ]
        losses.append(np.mean(terms))
    for second_text, expected in ((True, np.mean(losses)), (False, losses[0])):
        options = dict(similarity=similarity, second_text=second_text)
        chosen = systems.build("medclip", **OPTIONS, **TEXT, **options)
        np.testing.assert_allclose(chosen.objective(encoded, batch)[0], expected, rtol=1e-5)


def test_the_second_text_is_encoded_as_the_first(system, encoded):
    batch = make_batch()
    second = system.encode_text(batch["second_tokens"], batch["second_mask"]).global_
    np.testing.assert_allclose(encoded["second_text"], second, atol=1e-5)
    without = systems.build("medclip", **OPTIONS, **TEXT, second_text=False)
    assert "second_text" not in without.encode(batch, rngs=None)


def test_unknown_labels_and_rows_without_any_change_nothing(system, encoded):
    batch = make_batch()
    before = system.objective(encoded, batch)[0]
    flipped = {
        f"{side}labels": jnp.where(
            batch[f"{side}label_mask"], batch[f"{side}labels"], 1 - batch[f"{side}labels"]
        )
        for side in ("", "text_")
    }
    np.testing.assert_array_equal(before, system.objective(encoded, {**batch, **flipped})[0])
    unknown = jnp.zeros_like(batch["label_mask"]).at[2].set(batch["label_mask"][2])
    alone = {**batch, "label_mask": unknown}
    moved = {**encoded, "image": jnp.roll(encoded["image"], 1, 0).at[2].set(encoded["image"][2])}
    np.testing.assert_array_equal(
        system.objective(encoded, alone)[0], system.objective(moved, alone)[0]
    )


def test_whose_text_it_is_makes_no_difference(system, encoded):
    batch = make_batch()
    everyone = {**batch, "text_source": jnp.ones_like(batch["text_source"])}
    for key in ("label_mask", "text_label_mask"):
        everyone[key] = jnp.ones_like(batch[key])
    order = jnp.array([3, 0, 5, 1, 4, 2])
    theirs = {key: everyone[key][order] for key in ("text_labels", "text_label_mask")}
    moved = {**encoded, "text": encoded["text"][order]}
    before = system.objective(encoded, everyone)[0]
    np.testing.assert_allclose(
        system.objective(moved, {**everyone, **theirs})[0], before, rtol=1e-5
    )


def test_without_labels_the_loss_and_its_gradient_are_zero(system, encoded):
    batch = make_batch()
    batch["label_mask"] = jnp.zeros_like(batch["label_mask"])
    value, gradient = jax.value_and_grad(lambda e: system.objective(e, batch)[0])(encoded)
    assert value == 0 and not any(np.any(leaf) for leaf in jax.tree.leaves(gradient))


def test_negatives_are_no_option_of_likeness():
    with pytest.raises(OptionError, match="negatives is 'all'; medclip has no negatives"):
        systems.build("medclip", **OPTIONS, **TEXT, negatives="all")


def test_forms_agree(system, encoded):
    batch = make_batch()
    chunked = systems.build("medclip", **OPTIONS, **TEXT, loss_form="chunked", loss_chunk=2)
    for one, two in zip(
        *(
            jax.tree.leaves(jax.value_and_grad(lambda e, s=s: s.objective(e, batch)[0])(encoded))
            for s in (system, chunked)
        ),
        strict=True,
    ):
        np.testing.assert_allclose(one, two, atol=1e-6)
