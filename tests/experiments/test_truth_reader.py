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
