# SPDX-License-Identifier: Apache-2.0
"""Hidden words: whole words, the stated rate, at least one, and the places that are predicted."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medst_jax.systems.parts.masked_words import (
    MaskOptions,
    gather_predicted,
    mask_words,
    predicted_slots,
)

LENGTH = 40


@pytest.fixture(scope="module")
def drawn():
    """tokens, word_index, shown and chosen of 400 texts of 18 words of two pieces."""
    words = np.where((np.arange(LENGTH) >= 1) & (np.arange(LENGTH) < 37), np.arange(LENGTH), 0)
    word_index = jnp.broadcast_to(
        jnp.asarray(np.where(words > 0, (words - 1) // 2, -1)), (400, LENGTH)
    )
    tokens = jnp.broadcast_to(jnp.asarray(np.where(words > 0, 100 + words, 0)), (400, LENGTH))
    keys = jax.random.split(jax.random.key(0), 400)
    run = jax.jit(lambda: mask_words(tokens, word_index, keys, 1000, MaskOptions(rate=0.15)))
    shown, chosen = run()
    return tuple(map(np.asarray, (tokens, word_index, shown, chosen)))


def test_whole_words_are_hidden_at_the_rate(drawn):
    tokens, word_index, shown, chosen = drawn
    assert not chosen[word_index < 0].any()
    pieces = chosen[:, 1:37].reshape(400, 18, 2)
    np.testing.assert_array_equal(pieces[..., 0], pieces[..., 1])
    # At least one of 18 words: a text without any would come up (1 - 0.15) ** 18 = 5% of the time.
    assert pieces[..., 0].any(1).all()
    assert abs(pieces[..., 0].mean() - 0.153) < 0.015
    np.testing.assert_array_equal(shown[~chosen], tokens[~chosen])


def test_hidden_tokens_show_mask_noise_and_themselves(drawn):
    tokens, _, shown, chosen = drawn
    masked = (shown == 4)[chosen].mean()
    kept = (shown == tokens)[chosen].mean()
    assert abs(masked - 0.8) < 0.03 and abs(kept - 0.1) < 0.02
    noise = shown[chosen & (shown != 4) & (shown != tokens)]
    assert noise.min() >= 5 and noise.max() < 1000 and len(np.unique(noise)) > 50


def test_without_keys_nothing_is_hidden(drawn):
    tokens, word_index, _, _ = drawn
    shown, chosen = mask_words(jnp.asarray(tokens), jnp.asarray(word_index), None, 9, MaskOptions())
    np.testing.assert_array_equal(shown, tokens)
    assert not chosen.any()


def test_predicted_places_are_gathered_in_order():
    states = jnp.arange(2 * 6 * 3.0).reshape(2, 6, 3)
    tokens = jnp.arange(12).reshape(2, 6)
    chosen = jnp.array([[False, True, False, True, False, False], [False] * 6])
    found = gather_predicted(states, tokens, chosen, 3)
    np.testing.assert_array_equal(found["hidden_mask"], [[True, True, False], [False] * 3])
    np.testing.assert_array_equal(found["hidden_tokens"][0, :2], [1, 3])
    np.testing.assert_array_equal(found["hidden"][0, :2], states[0, jnp.array([1, 3])])
    assert predicted_slots(40, 0.15) == 10 and predicted_slots(4, 0.9) == 4
