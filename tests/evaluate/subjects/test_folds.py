# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from medst_jax.evaluate.subjects.folds import (
    CLASSIFIERS,
    cross_scores,
    patient_folds,
    released_folds,
    scores_of_altered,
)

TARGETS = np.tile([0, 1, 2], 40)
PATIENTS = np.repeat(np.arange(40), 3)


def test_patient_folds_keep_patients_together_and_cover_everything():
    folds = patient_folds(TARGETS, PATIENTS, 5, 0)
    held = np.concatenate([test for _, test in folds])
    np.testing.assert_array_equal(np.sort(held), np.arange(120))
    for train, test in folds:
        assert not set(PATIENTS[train]) & set(PATIENTS[test])
        assert set(TARGETS[train]) == {0, 1, 2}
    again = patient_folds(TARGETS, PATIENTS, 5, 1)
    assert any(
        (a[1].shape != b[1].shape) or (a[1] != b[1]).any()
        for a, b in zip(folds, again, strict=True)
    )


def test_released_folds_split_patients():
    folds = released_folds(TARGETS, 5, 0)
    assert any(set(PATIENTS[train]) & set(PATIENTS[test]) for train, test in folds)
    assert sorted(np.concatenate([test for _, test in folds])) == list(range(120))


def test_the_linear_svm_votes_between_pairs_of_classes():
    rng = np.random.default_rng(3)
    features, targets = rng.normal(size=(90, 4)), rng.integers(0, 3, 90)
    machine = CLASSIFIERS["svm"](0).fit(features, targets)
    votes = np.zeros((90, 3))
    for a, b in ((0, 1), (0, 2), (1, 2)):
        pair = np.isin(targets, (a, b))
        one = CLASSIFIERS["svm"](0).fit(features[pair], targets[pair])
        chosen = one.predict(features)
        for c in (a, b):
            votes[:, c] += chosen == c
    clear = np.sort(votes, axis=1)[:, 2] == 2
    assert clear.mean() > 0.8
    np.testing.assert_array_equal(machine.predict(features)[clear], votes.argmax(1)[clear])
    np.testing.assert_array_equal(
        np.round(machine.decision_function(features)[clear]), votes[clear]
    )


def test_scores_come_from_classifiers_that_held_the_row_out():
    features = np.eye(3)[TARGETS] + np.random.default_rng(0).normal(size=(120, 3)) * 0.01
    folds = patient_folds(TARGETS, PATIENTS, 5, 0)
    for name in CLASSIFIERS:
        scores = cross_scores(features, TARGETS, folds, CLASSIFIERS[name](0))
        assert (scores.argmax(1) == TARGETS).all()
        altered = {"same": features, "turned": np.roll(features, 1, 1)}
        found = scores_of_altered(features, TARGETS, folds, CLASSIFIERS[name](0), altered)
        np.testing.assert_array_equal(found["same"], scores)
        assert (found["turned"].argmax(1) == (TARGETS + 1) % 3).all()
    # Identity as a feature: a patient that was never trained on has a score without information.
    leak = np.eye(40)[PATIENTS]
    own = (PATIENTS % 2).astype(int)
    honest = cross_scores(leak, own, patient_folds(own, PATIENTS, 5, 0), CLASSIFIERS["svm"](0))
    leaking = cross_scores(leak, own, released_folds(own, 5, 0), CLASSIFIERS["svm"](0))
    assert (leaking.argmax(1) == own).mean() > 0.9
    assert (honest.argmax(1) == own).mean() < 0.7


def test_scaled_classifier_reads_unit_norm_features_that_lie_close_together():
    rng = np.random.default_rng(0)
    targets, patients = rng.choice(3, 300, p=(0.6, 0.2, 0.2)), np.arange(300)
    features = np.eye(3)[targets] * 0.02 + rng.normal(size=(300, 3)) * 0.01 + [5.0, 3.0, 1.0]
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    folds = patient_folds(targets, patients, 5, 0)
    accuracy = {}
    for name, make in CLASSIFIERS.items():
        hits = cross_scores(features, targets, folds, make(0)).argmax(1) == targets
        accuracy[name] = np.mean([hits[targets == c].mean() for c in range(3)])
    assert accuracy["scaled"] > 0.7
    assert max(accuracy["svm"], accuracy["linear"]) == pytest.approx(1 / 3)
