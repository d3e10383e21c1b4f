# SPDX-License-Identifier: Apache-2.0
"""Sentences of reports."""

import pytest

from medst_jax.text import split_sentences


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("   \n ", []),
        ("No full stop", ["No full stop"]),
        ("One. Two?  Three!", ["One.", "Two?", "Three!"]),
        ("A 2.5 cm nodule. Stable.", ["A 2.5 cm nodule.", "Stable."]),
        ("Dr. Smith was told at 3 p.m. today.", ["Dr. Smith was told at 3 p.m. today."]),
        ("Opacity, e.g. pneumonia vs. edema.", ["Opacity, e.g. pneumonia vs. edema."]),
        ("It measures 3 cm. No effusion.", ["It measures 3 cm.", "No effusion."]),
        ("1. Effusion. 2. No edema.", ["Effusion.", "No edema."]),
        ("1. Effusion\n2) No edema\n- Stable", ["Effusion", "No edema", "Stable"]),
        ("Seen on\nboth views. Done.", ["Seen on\nboth views.", "Done."]),
        ("First\n\nsecond", ["First", "second"]),
        ("Heart normal.No effusion.", ["Heart normal.", "No effusion."]),
        ("Compared with ___. Stable.", ["Compared with ___.", "Stable."]),
    ],
)
def test_split_sentences(text, expected):
    assert [text[start:end] for start, end in split_sentences(text)] == expected
