# SPDX-License-Identifier: Apache-2.0
"""WordPiece and byte-pair tokenizers of imported models behind the common interface."""

import json
import pickle

import numpy as np
import pytest

from medst_jax.data.tokenize.foreign_tokenizer import ForeignTokenizer
from medst_jax.data.tokenize.tokenizer_definition import clip_bytes, word_piece
from medst_jax.data.tokenize.tokenizer_files import find_tokenizer, load_tokenizer_file

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "no", "pneu", "##mo", "##nia", ".", "left"]


@pytest.fixture
def pieces() -> ForeignTokenizer:
    return ForeignTokenizer(word_piece(PIECES, lower=True, strip_accents=None))


@pytest.fixture
def pairs() -> ForeignTokenizer:
    symbols = ["!", "n", "o", "l", "e", "f", "t", "n</w>", "o</w>", "t</w>", "!</w>"]
    merges = [("n", "o</w>"), ("l", "e"), ("f", "t</w>"), ("le", "ft</w>")]
    names = [*symbols, *("".join(pair) for pair in merges), "<|startoftext|>", "<|endoftext|>"]
    return ForeignTokenizer(clip_bytes({n: i for i, n in enumerate(names)}, merges))


def test_word_pieces_between_their_ends(pieces):
    tokens = pieces.encode("No Pneumonia.", 9)
    assert [PIECES[t] for t in tokens] == [
        "[CLS]", "no", "pneu", "##mo", "##nia", ".", "[SEP]", "[PAD]", "[PAD]",
    ]  # fmt: skip
    np.testing.assert_array_equal(pieces.mask(tokens), [True] * 7 + [False] * 2)
    np.testing.assert_array_equal(pieces.word_index(tokens), [-1, 0, 1, 1, 1, 2, -1, -1, -1])
    assert pieces.encode("no " * 20, 5).tolist() == [2, 5, 5, 5, 3]
    assert pieces.pieces("heart") == (1,)


def test_byte_pairs_between_their_ends(pairs):
    tokens = pairs.encode("NO  left!", 8)
    assert tokens.tolist() == [15, 11, 14, 10, 16, 0, 0, 0]
    np.testing.assert_array_equal(pairs.mask(tokens), [True] * 5 + [False] * 3)
    np.testing.assert_array_equal(pairs.word_index(tokens), [-1, 0, 1, 2, -1, -1, -1, -1])
    # 0 is a piece of this vocabulary, not its padding.
    assert pairs.mask(np.array([15, 0, 10, 16, 0])).tolist() == [True, True, True, True, False]
    assert not pairs.mask(np.zeros((2, 4), int)).any()


def test_sentences_keep_their_numbers(pieces):
    tokens, owners = pieces.encode_sentences(["no pneumonia .", "left"], 9)
    assert tokens.tolist() == [2, 5, 6, 7, 8, 9, 10, 3, 0]
    assert owners.tolist() == [-1, 0, 0, 0, 0, 0, 1, -1, -1]


def test_it_is_saved_loaded_and_pickled(tmp_path, pieces):
    pieces.save(tmp_path / "tokenizer.model")
    loaded = load_tokenizer_file(tmp_path / "tokenizer.model")
    for copy in (loaded, find_tokenizer(tmp_path, {}), pickle.loads(pickle.dumps(pieces))):
        assert copy.fingerprint == pieces.fingerprint
        np.testing.assert_array_equal(copy.encode("no left", 6), pieces.encode("no left", 6))
    options = json.loads((tmp_path / "tokenizer.json").read_text())
    (tmp_path / "tokenizer.json").write_text(json.dumps({**options, "fingerprint": "0"}))
    with pytest.raises(ValueError, match="is not the model that"):
        load_tokenizer_file(tmp_path / "tokenizer.model")


def test_the_files_of_a_checkpoint(tmp_path, pieces, pairs):
    assert find_tokenizer(tmp_path, {}) is None
    (tmp_path / "vocab.txt").write_text("\n".join(PIECES) + "\n")
    found = find_tokenizer(tmp_path, {})
    np.testing.assert_array_equal(found.encode("No", 4), [2, 5, 3, 0])
    cased = find_tokenizer(tmp_path, {"do_lower_case": False})
    np.testing.assert_array_equal(cased.encode("No", 4), [2, 1, 3, 0])
    (tmp_path / "tokenizer.json").write_bytes(pairs.definition)
    assert find_tokenizer(tmp_path, {}).fingerprint == pairs.fingerprint


def test_a_definition_with_its_own_truncation_and_padding(pieces):
    definition = json.loads(pieces.definition)
    definition["truncation"] = dict(
        max_length=3, strategy="LongestFirst", stride=0, direction="Right"
    )
    other = ForeignTokenizer(json.dumps(definition).encode())
    assert other.encode("no pneumonia left", 9).tolist() == [2, 5, 6, 7, 8, 10, 3, 0, 0]


def test_vocabularies_that_are_not_understood():
    with pytest.raises(ValueError, match="none of the tokens"):
        ForeignTokenizer(word_piece(["[PAD]", "[UNK]", "no"], lower=True, strip_accents=None))
    moved = ["[UNK]", "[CLS]", "[SEP]", "[PAD]"]
    with pytest.raises(ValueError, match="pads with id 3"):
        ForeignTokenizer(word_piece(moved, lower=True, strip_accents=None))
