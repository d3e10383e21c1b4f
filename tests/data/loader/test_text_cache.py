# SPDX-License-Identifier: Apache-2.0
"""What is kept of studies, and texts laid end to end."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from medst_jax.data.loader.text_cache import (
    ANEW,
    NOTHING,
    UNMET,
    Growing,
    Remembered,
    RememberedTexts,
)
from medst_jax.data.loader.tokenized_texts import padded, runs, tokenized
from medst_jax.data.mixture.text_sampling import Text, no_text


def test_columns_grow_and_keep_their_values():
    growing = Growing(value=np.int32(), pair=np.zeros(2, np.int8))
    for k in range(700):
        first = growing.append(value=np.array([k, -k]), pair=np.full((2, 2), k % 100))
        assert first == 2 * k
    np.testing.assert_array_equal(growing["value"][:1400:2], np.arange(700))
    np.testing.assert_array_equal(growing["pair"][1399], [99, 99])
    assert growing["value"].dtype == np.int32 and growing["pair"].dtype == np.int8


def test_an_entry_of_a_study_is_drawn_uniformly():
    remembered = Remembered(4, value=np.int64())
    remembered.add(2, value=np.array([10, 20, 30]))
    remembered.add(0, value=np.array([], np.int64))
    remembered.ask_anew(3)
    remembered.add(2, value=np.array([99]))  # a second reader that met it at the same time
    rows = np.array([0, 1, 2, 2, 2, 3])
    drawn = remembered.draw(rows, np.array([0.5, 0.5, 0.0, 0.34, 0.999, 0.0]))
    assert drawn[[0, 1, 5]].tolist() == [NOTHING, UNMET, ANEW]
    assert remembered["value"][drawn[2:5]].tolist() == [10, 20, 30]
    assert (remembered.state(rows) < 0).tolist() == [False, True, False, False, False, True]


def test_threads_that_add_lose_nothing():
    remembered = Remembered(2000, value=np.int64())

    def add(row):
        remembered.add(row, value=np.array([row, row + 10**6]))
        return int(remembered["value"][remembered.draw(np.array([row]), np.array([0.9]))][0])

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(add, range(2000)))
    assert found == [row + 10**6 for row in range(2000)]


@pytest.mark.parametrize("length", [5, 24])
def test_texts_come_back_as_the_tokenizer_encodes_them(tokenizer, length):
    sentences = [("there is edema.", "no mass."), ("no mass.",), ("",)]
    codes = np.array([[1, -2], [-2, 0]], np.int8)
    texts = [Text(said, codes[: len(said)], 1) for said in sentences]
    remembered = RememberedTexts(9, 2)
    remembered.add_texts(7, tokenized(texts[:1], tokenizer, length))
    remembered.add_texts(1, tokenized(texts[1:], tokenizer, length))
    rows, uniforms = np.array([1, 7, 1]), np.array([0.0, 0.3, 0.6])
    kept = remembered.texts(remembered.draw(rows, uniforms))
    tokens, mask, sentence_index = padded(kept, tokenizer, length)
    for row, said in enumerate((sentences[1], sentences[0], sentences[2])):
        expected, owners = tokenizer.encode_sentences(said, length)
        np.testing.assert_array_equal(tokens[row], expected)
        np.testing.assert_array_equal(sentence_index[row], owners)
        np.testing.assert_array_equal(mask[row], tokenizer.mask(expected))
    assert kept.codes[1].tolist() == ([1, 0] if length == 24 else [1, -2])
    assert len(set(kept.numbers.tolist())) == 3 and (kept.numbers >= 0).all()
    assert (kept.sources == 1).all()


def test_no_text_is_padding_alone(tokenizer):
    texts = tokenized([no_text(2)], None, 8)
    for reader in (None, tokenizer):
        tokens, mask, sentence_index = padded(texts, reader, 8)
        assert not tokens.any() and not mask.any() and (sentence_index == -1).all()
    assert texts.numbers.tolist() == [-1] and texts.codes.tolist() == [[-3, -3]]


def test_runs_of_nothing():
    assert runs(np.array([4, 9, 2]), np.array([0, 2, 0])).tolist() == [9, 10]
    assert runs(np.array([], int), np.array([], int)).tolist() == []
