# SPDX-License-Identifier: Apache-2.0
"""ConVIRT: the maximum over valid tokens, and the paper's loss on both projections."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medst_jax import systems
from medst_jax.systems.convirt import masked_max
from tests.systems.make_batch import OPTIONS, OWN, TEXT, make_batch


@pytest.fixture(scope="module")
def system():
    return systems.build("convirt", **OPTIONS, **TEXT, **OWN["convirt"])


def test_the_objective_is_the_papers(system):
    batch = make_batch()
    encoded = jax.tree.map(np.asarray, system.encode(batch, rngs=None))
    loss, metrics = system.objective(encoded, batch)
    rows = np.flatnonzero(np.asarray(batch["text_source"]) > 0)
    logits = encoded["image"][rows] @ encoded["text"][rows].T / 0.1
    matched = np.diagonal(logits).copy()

    def choice(axis):
        return np.mean(np.log(np.exp(logits).sum(axis)) - matched)

    released = systems.build("convirt", **OPTIONS, **TEXT, **OWN["convirt"], negatives="all")
    every, _ = released.objective(encoded, batch)
    np.testing.assert_allclose(every, 0.75 * choice(1) + 0.25 * choice(0), rtol=1e-5)
    # Rows 0 and 1 are of one study, rows 2 and 3 have one text.
    for i, j in ((0, 1), (2, 3)):
        logits[[i, j], [j, i]] = -np.inf
    np.testing.assert_allclose(loss, 0.75 * choice(1) + 0.25 * choice(0), rtol=1e-5)
    assert metrics["image_to_text_accuracy"][1] == len(rows) == 5


def test_the_highest_of_valid_tokens_and_its_gradient():
    states = np.random.default_rng(0).normal(size=(3, 5, 4)).astype(np.float32) - 3
    mask = np.array([[1, 1, 0, 0, 0], [1, 1, 1, 1, 1], [0, 0, 0, 0, 0]], bool)
    found = masked_max(jnp.asarray(states), jnp.asarray(mask))
    np.testing.assert_array_equal(found[0], states[0, :2].max(0))
    np.testing.assert_array_equal(found[1], states[1].max(0))
    assert not found[2].any()
    gradient = jax.grad(lambda x: masked_max(x, jnp.asarray(mask)).sum())(jnp.asarray(states))
    expected = np.zeros_like(states)
    for row, count in ((0, 2), (1, 5)):
        for d in range(4):
            expected[row, states[row, :count, d].argmax(), d] = 1
    np.testing.assert_array_equal(gradient, expected)


def test_texts_in_padding_and_rows_without_text_change_nothing(system):
    batch = make_batch()
    before = system.loss(batch, rngs=None)[0]
    tokens = jnp.where(batch["token_mask"], batch["tokens"], 7)
    silent = (batch["text_source"] == 0)[:, None]
    after = system.loss({**batch, "tokens": jnp.where(silent, 9, tokens)}, rngs=None)[0]
    np.testing.assert_allclose(before, after, rtol=1e-6)


def test_a_batch_of_one_has_nothing_to_choose_from(system):
    assert abs(float(system.loss(make_batch(1), rngs=None)[0])) < 1e-6


def test_bfloat16_encoders_give_a_float32_loss_near_that_of_float32(system):
    half = {"image": {**OPTIONS["image"], "dtype": "bfloat16"}}
    text = {"text": {**TEXT["text"], "dtype": "bfloat16"}}
    other = systems.build("convirt", **{**OPTIONS, **half}, **text, **OWN["convirt"])
    batch = make_batch()
    one, two = (s.loss(batch, rngs=None)[0] for s in (system, other))
    assert two.dtype == jnp.float32
    np.testing.assert_allclose(one, two, rtol=0.05)
