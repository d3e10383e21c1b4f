# SPDX-License-Identifier: Apache-2.0
"""Shots, solver settings and disjoint patients."""

import random

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold

from medst_jax.evaluate.fitting.logistic_regression import fit_probe
from medst_jax.evaluate.protocols.linear_probe import (
    LinearProbeOptions,
    linear_probe,
)
from medst_jax.evaluate.statistics.measure import measure_one
from medst_jax.evaluate.subjects.shots import (
    released_split,
    split_patients,
    take_fraction,
    take_shots,
)
from medst_jax.evaluate.subjects.tasks import TaskOptions
from tests.evaluate.fakes import context, pointing, studies

NAMES = ("East", "North")


def test_shots_follow_the_shuffle_of_the_draw() -> None:
    targets = np.array([0, 1, 0, 1, 1, 0, 0, 1])
    order = list(range(8))
    random.Random(3).shuffle(order)
    expected = [[i for i in order if targets[i] == c][:2] for c in (0, 1)]
    np.testing.assert_array_equal(take_shots(targets, 2, 3), np.concatenate(expected))
    assert set(take_shots(targets, 1, 3)) < set(take_shots(targets, 2, 3))
    assert list(take_shots(targets, 2, 3)) != list(take_shots(targets, 2, 4))


def test_small_classes_are_oversampled_to_balance() -> None:
    targets = np.array([0] * 10 + [1] * 3 + [-1] * 5)
    chosen = take_shots(targets, 8, 0)
    np.testing.assert_array_equal(np.bincount(targets[chosen]), [8, 8])
    assert set(chosen[8:]) == {10, 11, 12}
    np.testing.assert_array_equal(np.bincount(targets[take_fraction(targets, 1.0, 0)]), [10, 10])
    np.testing.assert_array_equal(np.bincount(targets[take_fraction(targets, 0.59, 0)]), [5, 5])


def test_no_patient_on_both_sides() -> None:
    patients = np.random.default_rng(0).integers(0, 30, 100)
    train, test = split_patients(patients, 0.2)
    assert not set(patients[train]) & set(patients[test])
    assert len(train) + len(test) == 100 and len(set(patients[test])) == 6


def test_solver_settings() -> None:
    rng = np.random.default_rng(0)
    probe, converged = fit_probe(rng.normal(size=(20, 3)), np.arange(20) % 2)
    settings = probe.get_params()
    assert converged
    assert (
        settings
        | {
            "C": 0.316,
            "solver": "lbfgs",
            "max_iter": 1000,
            "class_weight": "balanced",
            "random_state": 0,
        }
        == settings
    )


def _cohort(split: str, seed: int, count: int = 120, first_patient: int = 0):
    rng = np.random.default_rng(seed)
    codes = np.eye(2, dtype=int)[np.arange(count) % 2]
    directions = rng.integers(1, 100, (count, 3))
    directions[:, :2] += codes * 60
    patients = first_patient + np.arange(count) // 2
    return studies(pointing(directions), NAMES, codes, patients=patients, split=split)


def test_probe_on_raw_features_improves_with_shots() -> None:
    options = LinearProbeOptions(
        TaskOptions("fake", split="test", classes=NAMES),
        train=TaskOptions("fake", split="train"),
        fractions=(1.0,),
    )
    outcome = linear_probe(
        options, context(_cohort("test", 0, first_patient=900), _cohort("train", 1))
    )
    names = [part.name for part in outcome.parts]
    assert names == ["1 shots", "2 shots", "4 shots", "8 shots", "16 shots", "100%"]
    values = [
        measure_one(p.predictions, "balanced_accuracy", replicates=0).value for p in outcome.parts
    ]
    assert [len(part.predictions.scores) for part in outcome.parts] == [5] * 5 + [1]
    assert values[-1] > 0.8 and values[4] > values[0] > 0.4


def test_patients_of_the_test_set_never_train() -> None:
    # All training patients but the last ten are test patients; those ten carry no signal.
    train, test = _cohort("train", 1), _cohort("test", 0, count=100)
    options = LinearProbeOptions(
        TaskOptions("fake", split="test", classes=NAMES),
        train=TaskOptions("fake", split="train"),
        shots=(1000,),
        draws=1,
    )
    with_overlap = linear_probe(options, context(test, train))
    kept = studies(
        train.pictures[100:],
        NAMES,
        train.index.labels[100:],
        patients=train.index.patient[100:],
        split="train",
    )
    alone = linear_probe(options, context(test, kept))
    assert set(alone.parts[0].predictions.patients) == set(range(50))
    np.testing.assert_allclose(
        measure_one(with_overlap.parts[0].predictions, "auroc", replicates=0).value,
        measure_one(alone.parts[0].predictions, "auroc", replicates=0).value,
        atol=0.05,
    )


def test_train_and_test_from_one_split_by_patient() -> None:
    options = LinearProbeOptions(TaskOptions("fake", classes=NAMES), shots=(4,), draws=2)
    part = linear_probe(options, context(_cohort("test", 0))).parts[0]
    assert len(set(part.predictions.patients)) == 12  # a fifth of 60


def test_multi_label_probe() -> None:
    options = LinearProbeOptions(
        TaskOptions("fake", kind="multi", classes=NAMES), shots=(8,), draws=2, test_fraction=0.5
    )
    p = linear_probe(options, context(_cohort("test", 0))).parts[0].predictions
    assert p.kind == "multi" and p.scores.shape[2] == 2
    assert measure_one(p, "auroc/East", replicates=0).value > 0.7


def test_a_class_without_training_image_is_named() -> None:
    train = _cohort("train", 1, first_patient=500)
    train.index.labels[:, 1] = 0
    train.index.labels[:, 0] = 1
    options = LinearProbeOptions(
        TaskOptions("fake", classes=NAMES), train=TaskOptions("fake", split="train")
    )
    with pytest.raises(ValueError, match="'North' has no training image in fake/train"):
        linear_probe(options, context(_cohort("test", 0), train))


def test_without_a_training_split_folds_test_every_image_once() -> None:
    """The scores are those of a probe that is fitted by hand to the other folds' shots."""
    made = context(_cohort("test", 0))
    options = LinearProbeOptions(
        TaskOptions("fake", classes=NAMES), shots=(3,), draws=2, without_train="folds"
    )
    (part,) = linear_probe(options, made).parts
    p = part.predictions
    assert p.scores.shape == (2, 120, 2) and set(p.patients) == set(range(60))
    task = made.data.task(options.task)
    features = made.embed("fake", "test", task.rows).features
    splitter = StratifiedGroupKFold(5, shuffle=True, random_state=1)
    for fit, held in splitter.split(features, task.targets, task.patients):
        assert not set(task.patients[fit]) & set(task.patients[held])
        order = random.Random(1)
        places = list(range(len(fit)))
        order.shuffle(places)
        shots = [[i for i in fit[places] if task.targets[i] == c][:3] for c in (0, 1)]
        chosen = np.concatenate(shots)
        probe = LogisticRegression(C=0.316, max_iter=1000, class_weight="balanced")
        probe.fit(features[chosen], task.targets[chosen])
        margin = p.scores[1, held, 1] - p.scores[1, held, 0]
        np.testing.assert_allclose(margin, probe.decision_function(features[held]), rtol=1e-3)


def test_without_a_training_split_as_released() -> None:
    """DLILP's release: other test images in every draw, the mean recall of each, then their mean."""
    made = context(_cohort("test", 0))
    options = LinearProbeOptions(
        TaskOptions("fake", classes=NAMES),
        shots=(4,),
        draws=3,
        test_fraction=0.2,
        without_train="released",
    )
    (part,) = linear_probe(options, made).parts
    task = made.data.task(options.task)
    features = made.embed("fake", "test", task.rows).features
    recalls = []
    for fold in range(3):
        indices = list(range(120))
        random.seed(fold)
        random.shuffle(indices)
        test, train = [], []
        for c in (0, 1):
            of_class = [i for i in indices if task.targets[i] == c]
            test += of_class[:12]
            train += of_class[12:16]
        probe = LogisticRegression(C=0.316, max_iter=1000, class_weight="balanced")
        right = probe.fit(features[train], task.targets[train]).predict(features[test])
        hit = right == task.targets[test]
        recalls.append(np.mean([hit[task.targets[test] == c].mean() for c in (0, 1)]))
    value = measure_one(part.predictions, "balanced_accuracy", replicates=0).value
    assert value == pytest.approx(np.mean(recalls)) and len(set(recalls)) > 1


def test_a_cut_that_contradicts_the_task_is_refused() -> None:
    task = TaskOptions("fake", classes=NAMES)
    with pytest.raises(ValueError, match="leave one of them out"):
        LinearProbeOptions(task, train=task, without_train="folds")
    with pytest.raises(ValueError, match="kind is 'multi'"):
        LinearProbeOptions(TaskOptions("fake", kind="multi"), without_train="released")
    with pytest.raises(ValueError, match="too few images"):
        released_split(np.array([0, 0, 1]), 1.0, 4, 0)
