# SPDX-License-Identifier: Apache-2.0
"""Which patients are drawn, in time order, with the spread of the predicted grade."""

import numpy as np

from medst_jax.evaluate.protocols.parts.trajectories import COUNT, trajectories
from medst_jax.evaluate.report.figures import trajectory_figure


def test_the_longest_and_then_the_most_changing_come_first() -> None:
    patients = np.array([7, 7, 7, 3, 3, 3, 5, 5, 5, 5, 9, 9])
    grades = np.array([0, 0, 1, 0, 3, 1, 2, 2, 2, 2, 0, 3])
    days = np.array([0.0, 2, 1, 0, 1, 2, 10, 11, np.nan, 12, 0, 1])
    probabilities = np.eye(4)[grades] * 0.8 + 0.05
    found = trajectories(probabilities, grades, patients, days)
    # 5 has three known days and never changes; 9 has two studies.
    assert [list(one.grades) for one in found] == [[0, 3, 1], [0, 1, 0], [2, 2, 2]]
    assert list(found[1].days) == [0, 1, 2] and list(found[2].days) == [0, 1, 2]
    draws = np.repeat(np.arange(4), [1, 1, 1, 17])
    np.testing.assert_allclose(found[0].expected[1], draws.mean(), atol=1e-12)
    np.testing.assert_allclose(found[0].deviation[1], draws.std(), atol=1e-12)
    figure = trajectory_figure(found)
    assert figure.count("days") == 3 and "predicted" in figure


def test_a_few_patients_and_none() -> None:
    patients = np.repeat(np.arange(COUNT + 4), 3)
    days = np.tile([0.0, 1.0, 2.0], COUNT + 4)
    grades = np.tile([0, 1, 2], COUNT + 4)
    assert len(trajectories(np.eye(4)[grades], grades, patients, days)) == COUNT
    assert trajectories(np.eye(4)[:2], np.array([0, 1]), np.array([0, 1]), np.zeros(2)) == ()
