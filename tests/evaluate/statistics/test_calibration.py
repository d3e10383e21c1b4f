# SPDX-License-Identifier: Apache-2.0
"""The calibration error against a plain loop, and which scores it is for."""

import numpy as np
import pytest
from scipy.special import log_softmax

from medst_jax.evaluate.report import figures
from medst_jax.evaluate.statistics.calibration import (
    BINS,
    are_probabilities,
    calibration_error,
    confidence,
    one_hot_bins,
)
from medst_jax.evaluate.statistics.measure import available, measure_one
from medst_jax.evaluate.statistics.predictions import Predictions


def _predictions(scores: np.ndarray) -> Predictions:
    count = scores.shape[1]
    targets = np.random.default_rng(1).integers(0, scores.shape[2], count)
    names = tuple("abcdef"[: scores.shape[2]])
    return Predictions("single", np.arange(count), targets, scores, names)


def _by_loop(confidences: np.ndarray, right: np.ndarray) -> float:
    total = 0.0
    for b in range(BINS):
        inside = (confidences > b / BINS) & (confidences <= (b + 1) / BINS)
        if inside.any():
            gap = abs(right[inside].mean() - confidences[inside].mean())
            total += inside.mean() * gap
    return total


def test_error_equals_the_sum_over_bins_and_weights_repeat_images() -> None:
    rng = np.random.default_rng(0)
    confidences, right = rng.uniform(0.2, 1, 200), rng.random(200) < 0.6
    weights = np.stack([np.ones(200), rng.integers(0, 4, 200)])
    found = calibration_error(confidences, right, weights)
    repeated = np.repeat(np.arange(200), weights[1].astype(int))
    assert found[0] == pytest.approx(_by_loop(confidences, right), abs=1e-12)
    assert found[1] == pytest.approx(_by_loop(confidences[repeated], right[repeated]), abs=1e-12)


def test_a_bin_owns_its_upper_edge() -> None:
    bins = one_hot_bins(np.array([0.0, 1 / BINS, 1 / BINS + 1e-9, 1.0]))
    assert list(bins.argmax(1)) == [0, 0, 1, BINS - 1]


def test_only_log_probabilities_are_judged() -> None:
    logits = np.random.default_rng(0).normal(size=(2, 60, 3)).astype(np.float32)
    sure, cosine = _predictions(log_softmax(logits * 4, axis=-1)), _predictions(logits)
    assert are_probabilities(sure) and "calibration_error" in available(sure)
    assert not are_probabilities(cosine) and "calibration_error" not in available(cosine)
    with pytest.raises(ValueError, match="no metric 'calibration_error'"):
        measure_one(cosine, "calibration_error", replicates=0)
    expected = np.mean([_by_loop(*confidence(sure, s)) for s in range(2)])
    value = measure_one(sure, "calibration_error", replicates=0).value
    assert value == pytest.approx(expected, abs=1e-9)
    assert "confidence" in figures.reliability_figure(sure)
