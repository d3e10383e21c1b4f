# SPDX-License-Identifier: Apache-2.0
"""Retrieval with ties and duplicate texts."""

import numpy as np
import pytest

from medst_jax.evaluate.protocols import retrieval as protocol
from medst_jax.evaluate.protocols.parts.report_texts import same_text
from medst_jax.evaluate.protocols.retrieval import RetrievalOptions, first_hit_ranks, retrieval
from medst_jax.evaluate.statistics.measure import measure_one
from medst_jax.evaluate.statistics.outcome import NotApplicable
from tests.evaluate.fakes import ImageOnlySystem, context, pointing, studies


def dense(scores: np.ndarray, hits: np.ndarray) -> np.ndarray:
    """Ranks of the rows of a whole matrix, by the definition."""
    best = np.where(hits, scores, -np.inf).max(1)
    return 1 + ((scores >= best[:, None]) & ~hits).sum(1)


def test_ties_count_against_and_duplicates_are_hits() -> None:
    # Scores [[.5, .5, .1], [.5, .5, .1], [.9, .2, .9]]; the first two texts are equal.
    images = np.array([[0.5, 0.5, 0.1], [0.5, 0.5, 0.1], [0.9, 0.2, 0.9]])
    to_text, to_image = first_hit_ranks(images, np.eye(3), np.array([0, 0, 1]))
    np.testing.assert_array_equal(to_text, [1, 1, 2])
    np.testing.assert_array_equal(to_image, [2, 1, 1])
    for constant in first_hit_ranks(np.zeros((4, 2)), np.zeros((4, 2)), np.arange(4)):
        np.testing.assert_array_equal(constant, [4, 4, 4, 4])


@pytest.mark.parametrize("block", [1, 7, 16, 50, 64])
def test_blocks_give_the_ranks_of_the_whole_matrix(monkeypatch, block: int) -> None:
    rng = np.random.default_rng(block)
    # Small whole numbers: products are exact and many are equal.
    images, texts = rng.integers(-2, 3, (2, 50, 4)).astype(np.float32)
    numbers = rng.integers(0, 30, 50)
    monkeypatch.setattr(protocol, "BLOCK", block)
    scores, same = images @ texts.T, numbers[:, None] == numbers[None]
    to_text, to_image = first_hit_ranks(images, texts, numbers)
    np.testing.assert_array_equal(to_text, dense(scores, same))
    np.testing.assert_array_equal(to_image, dense(scores.T, same))
    assert len(set(to_text.tolist())) > 5


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
