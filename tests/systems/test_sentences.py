# SPDX-License-Identifier: Apache-2.0
import jax.numpy as jnp
import numpy as np

from medst_jax.systems.parts.sentences import cut_sentences


def test_each_sentence_stands_alone_behind_the_first_token():
    tokens = jnp.array([[2, 10, 11, 12, 20, 30, 31, 3, 0, 0], [2, 3, 0, 0, 0, 0, 0, 0, 0, 0]])
    index = jnp.array([[-1, 0, 0, 0, 1, 2, 2, -1, -1, -1], [-1] * 10])
    cut = cut_sentences(tokens, index, sentences=4, length=3)
    np.testing.assert_array_equal(cut.tokens[0], [[2, 10, 11], [2, 20, 0], [2, 30, 31], [2, 0, 0]])
    np.testing.assert_array_equal(cut.token_mask[0].sum(1), [3, 2, 3, 1])
    np.testing.assert_array_equal(cut.mask, [[True, True, True, False], [False] * 4])
    assert np.all(np.asarray(cut.tokens[1])[:, 1:] == 0) and np.all(cut.tokens[1, :, 0] == 2)


def test_what_does_not_fit_is_cut():
    tokens = jnp.arange(2, 10)[None]
    index = jnp.array([[-1, 0, 0, 1, 1, 2, 2, 2]])
    cut = cut_sentences(tokens, index, sentences=2, length=8)
    np.testing.assert_array_equal(cut.tokens[0, 1, :4], [2, 5, 6, 0])
    last = cut_sentences(tokens, index, sentences=3, length=8)
    np.testing.assert_array_equal(last.tokens[0, 2, :5], [2, 7, 8, 9, 0])
    np.testing.assert_array_equal(last.token_mask[0, 2], [1, 1, 1, 1, 0, 0, 0, 0])
