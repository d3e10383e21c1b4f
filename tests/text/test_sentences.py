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
        ("Told to Dr. ___ at 3:45 p.m. on ___.", ["Told to Dr. ___ at 3:45 p.m. on ___."]),
        ("Told at 3 p.m. Effusion.", ["Told at 3 p.m.", "Effusion."]),
        ("Told by Dr. J. ___ at 9 a.m. ___.", ["Told by Dr. J. ___ at 9 a.m. ___."]),
        ("1. 2.5 cm nodule. 2. No 3 mm step-off.", ["2.5 cm nodule.", "No 3 mm step-off."]),
        ("Wedge at T9. Stable.", ["Wedge at T9.", "Stable."]),
        ("Tip 4.5 cm above the carina.\n2. Clear.", ["Tip 4.5 cm above the carina.", "Clear."]),
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
