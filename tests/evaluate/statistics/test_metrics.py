# SPDX-License-Identifier: Apache-2.0
"""Metrics against scikit-learn and numbers worked out by hand."""

import numpy as np
import pytest
from sklearn import metrics as reference

from medst_jax.evaluate.statistics import metrics


def _ones(count: int) -> np.ndarray:
    return np.ones((1, count))


@pytest.mark.parametrize("levels", [3, 1000])
def test_auroc_equals_sklearn_with_ties_and_weights(levels: int) -> None:
    rng = np.random.default_rng(levels)
    targets = rng.random(200) < 0.3
    scores = rng.integers(0, levels, 200) + targets * levels * 0.2
    weights = rng.integers(0, 4, (5, 200))
    expected = [reference.roc_auc_score(targets, scores, sample_weight=w) for w in weights]
    np.testing.assert_allclose(metrics.auroc(targets, scores, weights), expected, atol=1e-12)


def test_auroc_by_hand() -> None:
    # Pairs (positive, negative): 2>1 wins, 2=2 half, 3>1 wins, 3>2 wins: 3.5 of 4.
    found = metrics.auroc(np.array([0, 1, 0, 1]), np.array([1.0, 2, 2, 3]), _ones(4))
    assert found[0] == 3.5 / 4


def test_auroc_without_a_side_is_nan() -> None:
    assert np.isnan(metrics.auroc(np.array([1, 1]), np.array([0.1, 0.2]), _ones(2))[0])
    assert np.isnan(metrics.auroc(np.zeros(0), np.zeros(0), np.ones((1, 0)))[0])


def test_roc_curve_area_is_auroc() -> None:
    rng = np.random.default_rng(0)
    targets, scores = rng.random(50) < 0.5, rng.integers(0, 8, 50).astype(float)
    false, true = metrics.roc_curve(targets, scores)
    area = np.trapezoid(true, false)
    assert area == pytest.approx(metrics.auroc(targets, scores, _ones(50))[0], abs=1e-12)
    assert (false[0], true[0], false[-1], true[-1]) == (0, 0, 1, 1)


def test_confusion_metrics_equal_sklearn() -> None:
    rng = np.random.default_rng(1)
    targets, predicted = rng.integers(0, 4, 120), rng.integers(0, 4, 120)
    weights = rng.integers(0, 3, (4, 120))
    matrix = metrics.confusion(targets, predicted, 4, weights)
    for r, w in enumerate(weights):
        np.testing.assert_allclose(
            matrix[r], reference.confusion_matrix(targets, predicted, sample_weight=w)
        )
        assert metrics.balanced_accuracy(matrix)[r] == pytest.approx(
            reference.balanced_accuracy_score(targets, predicted, sample_weight=w)
        )
        assert metrics.macro_f1(matrix)[r] == pytest.approx(
            reference.f1_score(targets, predicted, average="macro", sample_weight=w)
        )
        assert metrics.quadratic_kappa(matrix)[r] == pytest.approx(
            reference.cohen_kappa_score(targets, predicted, weights="quadratic", sample_weight=w)
        )


def test_balanced_accuracy_ignores_classes_that_a_draw_lacks() -> None:
    matrix = metrics.confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), 3, _ones(3))
    assert metrics.balanced_accuracy(matrix)[0] == 0.75


def test_weighted_median_is_that_of_the_repeated_values() -> None:
    rng = np.random.default_rng(2)
    values, weights = rng.integers(1, 30, 21), rng.integers(0, 3, (6, 21))
    expected = [np.median(np.repeat(values, w)) for w in weights]
    np.testing.assert_allclose(metrics.weighted_median(values, weights), expected)


def test_precision_recall_curve_equals_sklearn() -> None:
    rng = np.random.default_rng(3)
    truth, scores = rng.random(80) < 0.3, np.round(rng.normal(size=80), 1)
    recall, precision = metrics.precision_recall_curve(truth, scores)
    # scikit-learn goes from low to high thresholds and adds a last point of its own.
    expected_precision, expected_recall, _ = reference.precision_recall_curve(truth, scores)
    np.testing.assert_allclose(recall, expected_recall[:-1][::-1], atol=1e-12)
    np.testing.assert_allclose(precision, expected_precision[:-1][::-1], atol=1e-12)
