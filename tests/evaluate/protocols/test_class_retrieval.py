# SPDX-License-Identifier: Apache-2.0
"""Retrieval by class, with ties, both directions, and what it needs."""

import numpy as np
import pytest

from medst_jax.evaluate.protocols.class_retrieval import (
    ClassRetrievalOptions,
    class_retrieval,
    precision_and_hits,
)
from medst_jax.evaluate.statistics.measure import measure_one
from medst_jax.evaluate.statistics.outcome import NotApplicable
from medst_jax.evaluate.subjects.tasks import TaskOptions
from tests.evaluate.fakes import ImageOnlySystem, context, pointing, studies

NAMES = ("East", "North")
TASK = TaskOptions("fake", classes=NAMES)


def test_precision_and_hits_agree_with_a_plain_loop() -> None:
    rng = np.random.default_rng(0)
    scores, classes = rng.random((9, 9)), rng.integers(0, 3, 9)
    same = classes[:, None] == classes[None]
    found = precision_and_hits(scores, same, (1, 4, 20))
    for row in range(9):
        order = sorted(range(9), key=lambda k: -scores[row, k])
        for column, count in enumerate((1, 4, 20)):
            share = [classes[k] == classes[row] for k in order[:count]]
            assert found[row, column] == pytest.approx(sum(share) / len(share))
            assert found[row, 3 + column] == any(share)


def test_equal_scores_gain_nothing() -> None:
    same = np.array([[True, True, False, False]] * 4)
    np.testing.assert_array_equal(
        precision_and_hits(np.zeros((4, 4)), same, (1, 2, 3)), [[0, 0, 1 / 3, 0, 0, 1]] * 4
    )


def _studies(**changes):
    directions = np.array([[200, 5, 0], [200, 0, 9], [4, 200, 0], [0, 200, 8], [0, 9, 200]])
    codes = np.array([[1, 0], [1, 0], [0, 1], [0, 1], [0, 0]])
    reports = ("east", "east up", "north", "", "up")
    return studies(pointing(directions), NAMES, codes, reports=reports, **changes)


def test_studies_of_one_class_with_a_report() -> None:
    outcome = class_retrieval(ClassRetrievalOptions(TASK, (1, 2)), context(_studies()))
    to_text, to_image = outcome.parts
    assert (to_text.name, to_image.name) == ("image to text", "text to image")
    np.testing.assert_array_equal(to_text.rows, [0, 1, 2])  # no report, no class: left out
    # Two of the three are East: the nearest two of North's image are North and an East.
    for part in outcome.parts:
        values = {
            name: measure_one(part.predictions, name, replicates=0).value
            for name in part.predictions.classes
        }
        assert values == pytest.approx(
            {"precision@1": 1, "precision@2": (1 + 1 + 0.5) / 3, "hit@1": 1, "hit@2": 1}
        )


def test_needs() -> None:
    with pytest.raises(NotApplicable, match="no text encoder"):
        class_retrieval(ClassRetrievalOptions(TASK), context(_studies(), system=ImageOnlySystem()))
    silent = _studies()
    silent.reports = ("",) * 5
    with pytest.raises(ValueError, match="needs a data set with reports"):
        class_retrieval(ClassRetrievalOptions(TASK), context(silent))
    with pytest.raises(ValueError, match="kind is 'multi'"):
        ClassRetrievalOptions(TaskOptions("fake", kind="multi"))
    with pytest.raises(ValueError, match="nearest is"):
        ClassRetrievalOptions(TASK, (0,))
