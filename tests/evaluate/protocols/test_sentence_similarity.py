# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from medst_jax.data.records.annotations import SentencePair
from medst_jax.evaluate.protocols.sentence_similarity import (
    SentenceSimilarityOptions,
    best_threshold,
    cross_validated_hits,
    released_hits,
    sentence_similarity,
)
from medst_jax.evaluate.statistics.measure import measure_one
from medst_jax.evaluate.statistics.outcome import NotApplicable
from tests.evaluate.fakes import (
    FakeRecords,
    ImageOnlySystem,
    TextOnlyScores,
    context,
    pointing,
    studies,
)

OPTIONS = SentenceSimilarityOptions("fake", folds=4)


def made(pairs, system=None):
    one = studies(pointing(np.ones((1, 3))), ("A",), np.zeros((1, 1)))
    result = context(one, system=system)
    result.data.records[SentencePair] = FakeRecords(pairs)
    return result


def pairs(count=12):
    found = []
    for k in range(count):
        words = "east " * (k + 1)
        found.append(SentencePair(words, "east east", "similar", "RadGraph"))
        found.append(SentencePair(words, "north", "different", "RadGraph"))
        found.append(SentencePair(words, "north", "neutral", "swaps"))
    return found


def test_pairs_that_say_the_same_score_higher():
    auroc, threshold = sentence_similarity(OPTIONS, made(pairs())).parts
    assert measure_one(auroc.predictions, "auroc/same", replicates=0).value == 1.0
    assert measure_one(threshold.predictions, "accuracy", replicates=0).value == 1.0
    assert len(auroc.predictions.patients) == 24
    assert len(np.unique(auroc.predictions.patients)) <= 12


def test_threshold_comes_from_the_other_folds():
    scores = np.array([0.1, 0.2, 0.6, 0.7])
    same = np.array([0, 0, 1, 1])
    assert 0.2 < best_threshold(scores, same) < 0.6
    # Noise: a threshold that has seen the test pairs looks better than one that has not.
    rng = np.random.default_rng(0)
    honest, released = [], []
    for _ in range(30):
        scores, same = rng.random(40), rng.integers(0, 2, 40)
        honest.append(cross_validated_hits(scores, same, np.arange(40), 10).mean())
        released.append(released_hits(scores, same, 10).mean())
    assert np.mean(honest) < 0.53 < np.mean(released)


class TextOnlySystem(TextOnlyScores):
    """Without an image encoder."""

    has_image = False


def test_a_text_encoder_alone_is_enough_and_has_no_images():
    made_here = made(pairs(), TextOnlySystem())
    auroc, _ = sentence_similarity(OPTIONS, made_here).parts
    assert measure_one(auroc.predictions, "auroc/same", replicates=0).value == 1.0
    with pytest.raises(NotApplicable, match="no image encoder"):
        made_here.embed("fake", "test", np.arange(1))


def test_what_cannot_be_measured_is_named():
    with pytest.raises(NotApplicable, match="no text encoder"):
        sentence_similarity(OPTIONS, made(pairs(), ImageOnlySystem()))
    options = SentenceSimilarityOptions("fake", subset="swaps")
    with pytest.raises(NotApplicable, match="no sentence pairs of both"):
        sentence_similarity(options, made(pairs()))
