# SPDX-License-Identifier: Apache-2.0
"""No Finding of texts of several sentences."""

import numpy as np
import pytest

from medst_jax.data.mixture.labels import merge_codes
from medst_jax.data.mixture.no_finding import mark_contradictions, without_marks
from medst_jax.text import label_findings, label_sentence
from medst_jax.text.mentions import FINDINGS
from medst_jax.text.no_finding import NO_FINDING, says_no_finding

COLUMN = FINDINGS.index(NO_FINDING)


def codes_of(sentence: str) -> list[int]:
    codes = label_sentence(sentence)
    normal = 1 if says_no_finding(codes) else -2
    return [normal, *(codes.get(name, -2) for name in FINDINGS[1:])]


@pytest.mark.parametrize(
    ("sentences", "normal"),
    [
        (("No pneumothorax.", "Clear lungs."), 1),
        (("Portable film.", "No acute process."), 1),
        (("Pacemaker in place.", "No pneumothorax."), 1),
        (("Small effusion.", "No pneumothorax."), -2),
        (("No pneumothorax.", "Possible effusion."), -2),
        (("Severe emphysema.", "No pneumothorax."), -2),
        (("Portable film.", "Pacemaker in place."), -2),
    ],
)
def test_decided_on_all_sentences_as_for_the_report(sentences, normal):
    codes = np.array([codes_of(sentence) for sentence in sentences], np.int8)
    merged = without_marks(merge_codes(mark_contradictions(codes, FINDINGS, sentences)))
    assert merged[COLUMN] == normal
    assert (label_findings(" ".join(sentences)).get(NO_FINDING, -2)) == normal
    np.testing.assert_array_equal(np.delete(merged, COLUMN), np.delete(merge_codes(codes), COLUMN))


def test_a_sentence_alone_and_other_vocabularies_stay_as_they_are():
    codes = np.array([[1, -2], [-2, 1]], np.int8)
    assert mark_contradictions(codes[:1], ("No Finding", "Edema"), ("No edema.",)) is not None
    np.testing.assert_array_equal(
        mark_contradictions(codes[:1], ("no finding", "Edema"), ("",)), codes[:1]
    )
    np.testing.assert_array_equal(mark_contradictions(codes, ("Mass", "Edema"), ("", "")), codes)
