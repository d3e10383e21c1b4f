# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from medst_jax.evaluate.protocols.zero_shot_pair import ZeroShotPairOptions, zero_shot_pair
from medst_jax.evaluate.statistics.measure import measure_one
from medst_jax.evaluate.statistics.outcome import NotApplicable
from medst_jax.evaluate.subjects.tasks import TaskOptions
from tests.evaluate.fakes import ImageOnlySystem, context, pointing, studies

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
