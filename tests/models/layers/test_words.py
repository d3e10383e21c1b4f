# SPDX-License-Identifier: Apache-2.0
"""Word pieces summed by hand."""

import jax
import jax.numpy as jnp
import numpy as np

from medst_jax.models import aggregate_words, word_numbers
from medst_jax.models.layers.word_pieces import distinct_words


def test_a_word_is_the_sum_of_its_pieces_and_the_last_word_is_kept():
    # [CLS] pneu ##mo ##nia no [SEP], and a text that fills all tokens.
    continues = jnp.array([[0, 0, 1, 1, 0, 0, 0], [0, 0, 1, 0, 0, 1, 0]], bool)
    mask = jnp.array([[1, 1, 1, 1, 1, 1, 0], [1] * 7], bool)
    numbers = word_numbers(continues, mask)
    np.testing.assert_array_equal(numbers, [[0, 1, 1, 1, 2, 3, -1], [0, 1, 1, 2, 3, 3, 4]])
    values = jnp.arange(28.0).reshape(2, 7, 2)
    words, found = aggregate_words(values, numbers)
    np.testing.assert_array_equal(found.sum(1), [4, 5])
    expected = np.zeros((2, 7, 2))
    for row, text in enumerate(np.asarray(numbers)):
        for token, word in enumerate(text):
            if word >= 0:
                expected[row, word] += np.asarray(values)[row, token]
    np.testing.assert_allclose(words, expected)
    # Attention of [CLS] to each token sums the same way, token by token.
    attention, _ = aggregate_words(values[..., 0], numbers)
    np.testing.assert_allclose(attention, expected[..., 0])


def test_padding_neither_enters_nor_receives_a_gradient():
    numbers = jnp.array([[0, 1, -1]])
    values = jnp.array([[[1.0], [2.0], [jnp.nan]]])
    words = jax.jit(lambda v: aggregate_words(jnp.nan_to_num(v), numbers)[0])(values)
    np.testing.assert_array_equal(words[0, :, 0], [1.0, 2.0, 0.0])
    gradient = jax.grad(lambda v: aggregate_words(v, numbers)[0].sum())(jnp.ones((1, 3, 1)))
    np.testing.assert_array_equal(gradient[0, :, 0], [1.0, 1.0, 0.0])


def test_low_precision_stays_low():
    words, _ = aggregate_words(jnp.ones((1, 3, 2), jnp.bfloat16), jnp.array([[0, 0, 1]]))
    assert words.dtype == jnp.bfloat16


def test_words_differ_unless_all_their_pieces_are_the_same_in_order():
    rng = np.random.default_rng(3)
    tokens = rng.integers(5, 8, (40, 9))  # few ids, so that words recur
    numbers = np.cumsum(rng.random((40, 9)) < 0.6, axis=1) - 1
    numbers = np.maximum(numbers, 0)
    numbers[:, 0] = numbers[3, 6:] = -1
    numbers[:, 1:] -= np.minimum(numbers[:, 1:2], numbers[:, 1:])
    differ = np.asarray(jax.jit(distinct_words)(tokens, numbers))
    equal = 0
    for row in range(40):
        words = [tuple(tokens[row][numbers[row] == k]) for k in range(9)]
        expected = [[one != other for other in words] for one in words]
        np.testing.assert_array_equal(differ[row], expected)
        equal += sum(not differ[row, i, j] for i in range(9) for j in range(i) if words[i])
    assert equal > 20
