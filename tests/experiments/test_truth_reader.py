# SPDX-License-Identifier: Apache-2.0
"""A reader of the truth: perfect where words follow from it, at chance where they do not."""

import numpy as np
import pytest

from experiments import truth_reader as reader

FINDINGS = ("effusion", "nodule", "edema", "fracture")
PATIENTS, EACH = 120, 3


def _ward(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Patients and findings of studies, some of which are alike."""
    rng = np.random.default_rng(seed)
    return np.repeat(np.arange(PATIENTS), EACH), rng.integers(0, 2, (PATIENTS * EACH, 4))


def _judge(truths: np.ndarray, texts: list[str], patients: np.ndarray) -> dict[str, float]:
    train = patients < PATIENTS // 2
    scores = reader.likelihoods(truths.astype(np.float32), reader.word_table(texts), train)
    held = [text for text, used in zip(texts, train, strict=True) if not used]
    return {k: v.value for k, v in reader.measure_reader(scores, patients[~train], held).items()}


def test_words_that_follow_from_the_truth_are_told_apart() -> None:
    patients, found = _ward()
    texts = [" ".join(f for f, has in zip(FINDINGS, row, strict=True) if has) for row in found]
    assert set(_judge(found, texts, patients).values()) == {1.0}


def test_words_of_other_studies_are_at_chance() -> None:
    patients, found = _ward()
    _, said = _ward(seed=1)
    texts = [" ".join(f for f, has in zip(FINDINGS, row, strict=True) if has) for row in said]
    for value in _judge(found, texts, patients).values():
        assert value == pytest.approx(0.5, abs=0.1)


def test_rare_and_constant_words_are_left_out() -> None:
    texts = ["lungs clear"] * 30 + ["lungs opacity"] * 30 + ["lungs unique"]
    table = reader.word_table(texts)
    assert table.shape == (61, 2)  # "clear" and "opacity"
    np.testing.assert_array_equal(table.sum(0), [30, 30])


def test_what_any_study_explains_counts_for_nothing():
    scores = np.log([[0.4, 0.1], [0.2, 0.1]])
    np.testing.assert_allclose(reader.informative(scores), np.log([[4 / 3, 1], [2 / 3, 1]]))
    np.testing.assert_allclose(reader.informative(scores - 5000.0), reader.informative(scores))


def test_a_truth_holds_what_shows_and_what_changed():
    def truth(found: list[int], severity: list[float]) -> dict[str, np.ndarray]:
        return {
            "truth_findings": np.array(found, np.int8),
            "truth_severity": np.array(severity, np.float32),
            "truth_visible_in": np.array([1, 2, 0], np.int8) * np.array(found, np.int8),
            "truth_side": np.array([1, 2, 3], np.int8),
        }

    before, now = truth([1, 0, 1], [0.2, 0.0, 0.9]), truth([1, 1, 0], [0.7, 0.4, 0.0])
    alone, followed = reader.truth_row(now, None), reader.truth_row(now, before)
    assert len(alone) == len(followed) and not alone[-10:].any()
    np.testing.assert_array_equal(alone[:-10], followed[:-10])
    assert followed[-10] == 1
    np.testing.assert_allclose(followed[-9:-6], [0.5, 0.4, -0.9], atol=1e-6)
    np.testing.assert_array_equal(followed[-6:], [0, 1, 0, 0, 0, 1])
    np.testing.assert_array_equal(followed[6:12], [1, 0, 0, 0, 1, 0])  # frontal, then lateral
