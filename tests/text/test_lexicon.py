# SPDX-License-Identifier: Apache-2.0
"""Phrases in lists of words."""

import pytest

from medst_jax.text.lexicon import Lexicon, Match


def test_longest_match_wins_and_matches_do_not_overlap():
    lexicon = Lexicon({"a": {"1": ["red", "red wine*"], "2": ["wine* glass"]}})
    words = ["red", "wines", "glass", "red", "wine", "red"]
    assert lexicon.find(words) == [
        Match(0, 2, "a", "1"),
        Match(3, 5, "a", "1"),
        Match(5, 6, "a", "1"),
    ]


def test_word_before_stem():
    lexicon = Lexicon({"stem": {"": ["bo*"]}, "word": {"": ["box"]}})
    assert [m.kind for m in lexicon.find(["box", "boxes"])] == ["word", "stem"]


def test_one_phrase_two_meanings():
    with pytest.raises(ValueError, match="'red' means both"):
        Lexicon({"a": {"1": ["red"], "2": ["red"]}})
