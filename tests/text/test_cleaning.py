# SPDX-License-Identifier: Apache-2.0
"""Words of sentences, without what a local loss should not look for."""

import pytest

from medst_jax.text.cleaning import only_words


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("1.  No focal consolidation.", "no focal consolidation"),
        ("Nodule of 3.5 cm, (12 x 9 mm)", "nodule of cm x mm"),
        ("PICC tip at T4-T5; 2nd rib.", "picc tip at t4 t5 2nd rib"),
        ("___ year old, seen by Dr. ___", "year old seen by dr"),
        ("Pneumonía, naïve reading", "pneumonia naive reading"),
        ("5mm nodule at 10:30 on 2/3/2010", "5mm nodule at on"),
        ("Cardiomegaly.", "cardiomegaly"),
        ("12. 3,4 --", ""),
    ],
)
def test_only_words_are_left(sentence, words):
    assert only_words(sentence) == words
    assert only_words(words) == words
