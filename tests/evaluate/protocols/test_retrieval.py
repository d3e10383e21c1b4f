# SPDX-License-Identifier: Apache-2.0
"""Retrieval with ties and duplicate texts."""

import numpy as np
import pytest

from medst_jax.evaluate.protocols.retrieval import (
    RetrievalOptions,
    first_hit_rank,
    retrieval,
    same_text,
)
from medst_jax.evaluate.statistics.measure import measure_one
from medst_jax.evaluate.statistics.outcome import NotApplicable
from tests.evaluate.fakes import ImageOnlySystem, context, pointing, studies


def test_ties_count_against_and_duplicates_are_hits() -> None:
    scores = np.array([[0.5, 0.5, 0.1], [0.9, 0.2, 0.9]])
    hits = np.array([[True, False, False], [False, True, True]])
    np.testing.assert_array_equal(first_hit_rank(scores, hits), [2, 2])
    constant = first_hit_rank(np.zeros((4, 4)), np.eye(4, dtype=bool))
    np.testing.assert_array_equal(constant, [4, 4, 4, 4])


def test_same_text_folds_case_and_space() -> None:
    same = same_text(["East up", "east  UP ", "north"])
    np.testing.assert_array_equal(same, [[1, 1, 0], [1, 1, 0], [0, 0, 1]])


def _studies(**changes):
    directions = np.array([[200, 0, 0], [0, 200, 0], [0, 0, 200], [180, 5, 0], [7, 7, 7]])
    reports = ("east", "north", "up", "East", "")
    return studies(pointing(directions), ("East",), np.zeros((5, 1)), reports=reports, **changes)


@pytest.mark.parametrize("text", ["report", "sentences"])
def test_both_directions(text: str) -> None:
    outcome = retrieval(RetrievalOptions("fake", text=text), context(_studies()))
    to_text, to_image = outcome.parts
    assert (to_text.name, to_image.name) == ("image to text", "text to image")
    assert len(to_text.predictions.patients) == 4  # the study without a report is left out
    for part in outcome.parts:
        np.testing.assert_array_equal(part.predictions.scores[0, :, 0], 1)
        assert measure_one(part.predictions, "recall@1", replicates=0).value == 1
    assert all(any(hits) for hits in outcome.retrieved.hits)


def test_limit_and_needs() -> None:
    outcome = retrieval(RetrievalOptions("fake", limit=2), context(_studies()))
    assert len(outcome.parts[0].rows) == 2
    with pytest.raises(NotApplicable, match="no text encoder"):
        retrieval(RetrievalOptions("fake"), context(_studies(), system=ImageOnlySystem()))
    silent = _studies()
    silent.reports = ("",) * 5
    with pytest.raises(ValueError, match="retrieval needs a data set with reports"):
        retrieval(RetrievalOptions("fake"), context(silent))
