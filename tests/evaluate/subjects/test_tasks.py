# SPDX-License-Identifier: Apache-2.0
"""Selection of images and targets."""

import numpy as np
import pytest

from medst_jax.evaluate.subjects.tasks import TaskOptions, select
from medst_jax.evaluate.subjects.train_and_test import train_and_test
from tests.evaluate.fakes import context, pointing, studies

CODES = np.array([[1, 0, -2], [1, 1, 0], [0, 1, -1], [-3, 0, 1], [0, 0, 0]])


def _studies(**changes):
    return studies(pointing(np.ones((5, 3))), ("East", "North", "Up"), CODES, **changes)


def test_exactly_one_positive_among_the_targets() -> None:
    task = select(TaskOptions("fake", classes=("north", "East")), _studies())
    assert task.classes == ("North", "East")
    np.testing.assert_array_equal(task.rows, [0, 2])
    np.testing.assert_array_equal(task.targets, [1, 0])


def test_multi_label_codes() -> None:
    task = select(TaskOptions("fake", kind="multi"), _studies())
    np.testing.assert_array_equal(
        task.targets, [[1, 0, 0], [1, 1, 0], [0, 1, -1], [-1, 0, 1], [0, 0, 0]]
    )


@pytest.mark.parametrize(
    ("blank", "uncertain", "row_0", "row_2"),
    [
        ("unknown", "unknown", -1, -1),
        ("negative", "positive", 0, 1),
        ("unknown", "negative", -1, 0),
    ],
)
def test_what_is_blank_or_uncertain_counts_as_the_task_says(blank, uncertain, row_0, row_2) -> None:
    options = TaskOptions("fake", kind="multi", blank=blank, uncertain=uncertain)
    targets = select(options, _studies()).targets
    assert (targets[0, 2], targets[2, 2]) == (row_0, row_2)
    np.testing.assert_array_equal(targets[:, 0], [1, 1, 0, -1, 0])


def test_images_of_none_of_the_classes_are_a_class() -> None:
    task = select(TaskOptions("fake", classes=("East", "North"), rest="Normal"), _studies())
    assert task.classes == ("Normal", "East", "North")
    # Row 3 is unknown for East, so it may be none of them or not.
    np.testing.assert_array_equal(task.rows, [0, 2, 4])
    np.testing.assert_array_equal(task.targets, [1, 2, 0])
    both = select(TaskOptions("fake", classes=("Up",), rest="Normal", kind="multi"), _studies())
    np.testing.assert_array_equal(both.targets, [[1, 0], [1, 0], [0, 1], [1, 0]])
    with pytest.raises(ValueError, match="rest is 'up', which is one of the classes"):
        select(TaskOptions("fake", classes=("Up",), rest="up"), _studies())


def test_a_training_set_has_the_classes_of_the_test() -> None:
    codes = np.tile(CODES, (4, 1))
    bench = context(studies(pointing(np.ones((20, 3))), ("East", "North", "Up"), codes))
    task = TaskOptions("fake", classes=("East",), rest="Normal")
    # The two share their patients: nothing is left to train on, which names the class of the rest.
    with pytest.raises(ValueError, match="class 'Normal' has no training image"):
        train_and_test(task, TaskOptions("fake"), 0.2, bench)
    train, test = train_and_test(task, None, 0.5, bench)
    assert train.classes == test.classes == ("Normal", "East")


def test_studies_without_a_frontal_are_left_out() -> None:
    some = _studies()
    some.index.has_frontal[0] = False
    assert 0 not in select(TaskOptions("fake", kind="multi"), some).rows


def test_limit_is_a_seeded_subset() -> None:
    first = select(TaskOptions("fake", kind="multi", limit=3), _studies())
    again = select(TaskOptions("fake", kind="multi", limit=3), _studies())
    assert len(first.rows) == 3 and (np.diff(first.rows) > 0).all()
    np.testing.assert_array_equal(first.rows, again.rows)


def test_truth_replaces_labels() -> None:
    found = np.array([[0, 1], [1, 1], [1, 0], [0, 0], [0, 1]], np.int8)
    some = _studies(truth=tuple({"truth_findings": row} for row in found))
    task = select(TaskOptions("fake", labels="truth"), some, ("East", "Hernia"))
    assert task.classes == ("East", "Hernia")
    np.testing.assert_array_equal(task.rows, [0, 2, 4])
    with pytest.raises(ValueError, match="holds no truth"):
        select(TaskOptions("fake", labels="truth"), _studies())


def test_unknown_class_and_empty_task_are_named() -> None:
    with pytest.raises(ValueError, match="no class Edema; known: East"):
        select(TaskOptions("fake", classes=("Edema",)), _studies())
    some = _studies()
    some.index.has_frontal[:] = False
    with pytest.raises(ValueError, match="no image of fake/test"):
        select(TaskOptions("fake", classes=("East",)), some)
