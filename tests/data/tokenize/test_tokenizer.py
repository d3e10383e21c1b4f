# SPDX-License-Identifier: Apache-2.0
import pickle

import numpy as np
import pytest

from medst_jax.data.tokenize.tokenizer import CLS, PAD, SEP, UNKNOWN, Tokenizer, train_tokenizer

TEXTS = ["There is edema.", "No effusion is seen.", "The heart is enlarged."] * 4


@pytest.fixture(scope="module")
def small():
    return train_tokenizer(TEXTS, 60)


def test_special_ids_and_padding(small):
    tokens = small.encode("there is", 12)
    assert tokens.dtype == np.int32 and tokens.shape == (12,)
    kept = int(np.sum(tokens != PAD))
    assert tokens[0] == CLS and tokens[kept - 1] == SEP and not tokens[kept:].any()
    assert (tokens[1 : kept - 1] > 4).all()


def test_long_text_is_cut_and_still_ends_in_sep(small):
    tokens = small.encode("there is edema. " * 20, 8)
    assert tokens[-1] == SEP and (tokens != PAD).all()
    np.testing.assert_array_equal(tokens[:-1], small.encode("there is edema. " * 20, 16)[:7])


def test_sentence_index_names_the_sentence_of_each_token(small):
    tokens, index = small.encode_sentences(["there is edema.", "no effusion"], 40)
    assert index[0] == -1 and set(index[tokens == PAD]) == {-1}
    assert list(dict.fromkeys(index[1 : int(np.sum(tokens != PAD)) - 1])) == [0, 1]
    first = small.encode("there is edema.", 40)
    count = int(np.sum(index == 0))
    np.testing.assert_array_equal(tokens[1 : 1 + count], first[1 : 1 + count])


def test_lower_casing_is_part_of_the_tokenizer(small):
    np.testing.assert_array_equal(small.encode("THERE", 8), small.encode("there", 8))
    cased = train_tokenizer(TEXTS, 60, lower=False)
    assert cased.fingerprint != small.fingerprint
    assert (cased.encode("THERE", 8) != cased.encode("There", 8)).any()


def test_text_cannot_write_special_tokens(small):
    assert not set(small.encode("[MASK] [PAD] [CLS]", 24)[1:].tolist()) & {CLS, 4}
    assert UNKNOWN in small.encode("☃", 6)


def test_batch_has_a_mask_and_may_be_empty(small):
    tokens, mask = small.encode_batch(["edema", ""], 10)
    assert tokens.shape == mask.shape == (2, 10) and mask[1].sum() == 2
    assert small.encode_batch([], 10)[0].shape == (0, 10)


def test_training_twice_gives_the_same_model(small):
    assert train_tokenizer(TEXTS, 60).fingerprint == small.fingerprint


def test_small_corpus_gives_a_smaller_vocabulary_and_a_tiny_size_is_an_error(small):
    assert small.size <= 60
    assert train_tokenizer(TEXTS, 5000).size < 5000
    with pytest.raises(ValueError, match="size 9 is too small.*at least"):
        train_tokenizer(TEXTS, 9)
    with pytest.raises(ValueError, match="no text"):
        train_tokenizer([" "], 50)


def test_save_load_and_pickle_keep_everything(small, tmp_path):
    small.save(tmp_path / "t.model")
    small.save(tmp_path / "t.model")
    for copy in (Tokenizer.load(tmp_path / "t.model"), pickle.loads(pickle.dumps(small))):
        assert (copy.fingerprint, copy.size, copy.lower) == (
            small.fingerprint,
            small.size,
            small.lower,
        )
    assert sorted(p.name for p in tmp_path.iterdir()) == ["t.json", "t.model"]


def test_mixed_up_files_are_refused(small, tmp_path):
    small.save(tmp_path / "t.model")
    train_tokenizer(TEXTS[:1], 50).save(tmp_path / "u.model")
    (tmp_path / "t.model").write_bytes((tmp_path / "u.model").read_bytes())
    with pytest.raises(ValueError, match="not the model"):
        Tokenizer.load(tmp_path / "t.model")
    (tmp_path / "t.json").unlink()
    with pytest.raises(FileNotFoundError, match="t.json"):
        Tokenizer.load(tmp_path / "t.model")
