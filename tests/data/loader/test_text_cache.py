# SPDX-License-Identifier: Apache-2.0
"""Caches of studies and their texts, and texts laid end to end."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from medst_jax.data.loader.study_cache import (
    EMPTY,
    UNCACHEABLE,
    UNCACHED,
    GrowableColumns,
    StudyCache,
)
from medst_jax.data.loader.text_cache import TokenizedTextCache
from medst_jax.data.loader.tokenized_texts import pad_texts, run_indices, tokenize_texts
from medst_jax.data.mixture.text_sampling import SampledText, no_text


def test_columns_grow_and_keep_their_values():
    columns = GrowableColumns(value=np.int32(), pair=np.zeros(2, np.int8))
    for k in range(700):
        first = columns.append(value=np.array([k, -k]), pair=np.full((2, 2), k % 100))
        assert first == 2 * k
    np.testing.assert_array_equal(columns["value"][:1400:2], np.arange(700))
    np.testing.assert_array_equal(columns["pair"][1399], [99, 99])
    assert columns["value"].dtype == np.int32 and columns["pair"].dtype == np.int8


def test_an_entry_of_a_study_is_drawn_uniformly():
    cache = StudyCache(4, value=np.int64())
    cache.add(2, value=np.array([10, 20, 30]))
    cache.add(0, value=np.array([], np.int64))
    cache.mark_uncacheable(3)
    cache.add(2, value=np.array([99]))  # a second reader that read it at the same time
    rows = np.array([0, 1, 2, 2, 2, 3])
    drawn = cache.choose(rows, np.array([0.5, 0.5, 0.0, 0.34, 0.999, 0.0]))
    assert drawn[[0, 1, 5]].tolist() == [EMPTY, UNCACHED, UNCACHEABLE]
    assert cache["value"][drawn[2:5]].tolist() == [10, 20, 30]
    assert (cache.states(rows) < 0).tolist() == [False, True, False, False, False, True]


def test_threads_that_add_lose_nothing():
    cache = StudyCache(2000, value=np.int64())

    def add(row):
        cache.add(row, value=np.array([row, row + 10**6]))
        return int(cache["value"][cache.choose(np.array([row]), np.array([0.9]))][0])

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(add, range(2000)))
    assert found == [row + 10**6 for row in range(2000)]


@pytest.mark.parametrize("length", [5, 24])
def test_texts_come_back_as_the_tokenizer_encodes_them(tokenizer, length):
    sentences = [("there is edema.", "no mass."), ("no mass.",), ("",)]
    codes = np.array([[1, -2], [-2, 0]], np.int8)
    texts = [SampledText(text, codes[: len(text)], 1) for text in sentences]
    cache = TokenizedTextCache(9, 2)
    cache.add_texts(7, tokenize_texts(texts[:1], tokenizer, length))
    cache.add_texts(1, tokenize_texts(texts[1:], tokenizer, length))
    rows, variates = np.array([1, 7, 1]), np.array([0.0, 0.3, 0.6])
    cached = cache.texts(cache.choose(rows, variates))
    tokens, mask, sentence_index = pad_texts(cached, tokenizer, length)
    for row, text in enumerate((sentences[1], sentences[0], sentences[2])):
        expected, owners = tokenizer.encode_sentences(text, length)
        np.testing.assert_array_equal(tokens[row], expected)
        np.testing.assert_array_equal(sentence_index[row], owners)
        np.testing.assert_array_equal(mask[row], tokenizer.mask(expected))
    assert cached.codes[1].tolist() == ([1, 0] if length == 24 else [1, -2])
    assert len(set(cached.hashes.tolist())) == 3 and (cached.hashes >= 0).all()
    assert (cached.sources == 1).all()


def test_no_text_is_padding_alone(tokenizer):
    texts = tokenize_texts([no_text(2)], None, 8)
    for reader in (None, tokenizer):
        tokens, mask, sentence_index = pad_texts(texts, reader, 8)
        assert not tokens.any() and not mask.any() and (sentence_index == -1).all()
    assert texts.hashes.tolist() == [-1] and texts.codes.tolist() == [[-3, -3]]


def test_runs_of_nothing():
    assert run_indices(np.array([4, 9, 2]), np.array([0, 2, 0])).tolist() == [9, 10]
    assert run_indices(np.array([], int), np.array([], int)).tolist() == []
