# SPDX-License-Identifier: Apache-2.0
"""One finding by prompts for and against it, and where the published means are taken."""

import dataclasses

import numpy as np
import pytest
from sklearn.metrics import f1_score

from medst_jax.evaluate.protocols.zero_shot_pair import ZeroShotPairOptions, zero_shot_pair
from medst_jax.evaluate.statistics.measure import measure_one
from medst_jax.evaluate.statistics.outcome import NotApplicable
from medst_jax.evaluate.subjects.tasks import TaskOptions
from tests.evaluate.fakes import (
    ImageOnlySystem,
    LengthySystem,
    context,
    pointing,
    studies,
)

TASK = TaskOptions("fake", classes=("Pneumonia",), kind="multi")
OPTIONS = ZeroShotPairOptions(TASK, positive=("east",), negative=("north", "north north"))


def made(system=None):
    directions = np.array([[9, 1, 0], [5, 4, 0], [3, 4, 0], [1, 9, 0], [2, 2, 0]])
    codes = np.array([[1], [0], [1], [0], [-1]])
    return context(studies(pointing(directions), ("Pneumonia",), codes), system=system)


def test_the_score_is_continuous_and_the_decision_its_sign():
    predictions = zero_shot_pair(OPTIONS, made()).parts[0].predictions
    assert predictions.targets.tolist() == [1, 0, 1, 0]
    np.testing.assert_array_equal(predictions.predicted(), [1, 1, 0, 0])
    assert measure_one(predictions, "accuracy", replicates=0).value == 0.5
    # Three of four pairs are in order; of the hard decision it would be 0.5.
    assert measure_one(predictions, "auroc/Pneumonia", replicates=0).value == 0.75


def test_other_tasks_are_refused():
    with pytest.raises(NotApplicable, match="no text encoder"):
        zero_shot_pair(OPTIONS, made(ImageOnlySystem()))
    single = ZeroShotPairOptions(TaskOptions("fake", classes=("Pneumonia",)))
    with pytest.raises(ValueError, match="kind='multi'"):
        zero_shot_pair(single, made())


def test_the_f1_of_papers_is_that_of_the_finding():
    (part,) = zero_shot_pair(OPTIONS, made()).parts
    f1 = measure_one(part.predictions, "f1/Pneumonia", replicates=0)
    assert f1.value == pytest.approx(f1_score([1, 0, 1, 0], [1, 1, 0, 0])) and f1.small
    # The mean over presence and absence is another number where one is rarer than the other.
    rare = dataclasses.replace(part.predictions, targets=np.array([1, 0, 0, 0]))
    assert measure_one(rare, "f1/Pneumonia", replicates=0).value == pytest.approx(2 / 3)
    assert measure_one(rare, "f1", replicates=0).value == pytest.approx((2 / 3 + 4 / 5) / 2)


def test_prompts_are_averaged_before_or_after_their_unit_norm():
    """The second prompt is three times as long as the first: before the norm it weighs more."""
    images = np.array([[9, 1, 0], [5, 4, 0], [3, 4, 0], [1, 9, 0]], float)
    unit = images / np.linalg.norm(images, axis=1, keepdims=True)
    east, north = np.eye(3)[:2]

    def difference(vector):
        return unit @ (vector / np.linalg.norm(vector) - east) / 2

    for mean, vector in (("unit_vectors", east + north), ("raw_vectors", east + 3 * north)):
        options = ZeroShotPairOptions(
            TASK, positive=("east", "north north north"), negative=("east",), prompt_mean=mean
        )
        scores = zero_shot_pair(options, made(LengthySystem())).parts[0].predictions.scores
        np.testing.assert_allclose(scores[0, :, 1], difference(vector), atol=1e-6)
    with pytest.raises(NotApplicable, match="does not say how long"):
        zero_shot_pair(options, made())
