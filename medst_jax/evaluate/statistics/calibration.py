# SPDX-License-Identifier: Apache-2.0
"""Whether a system's probabilities are true ones (Guo et al., ICML 2017, arXiv:1706.04599, section 2).

Only scores that are log-probabilities, such as those of a probe, can be judged; cosines of a
zero-shot classifier are no probabilities.
"""

import numpy as np
from scipy.special import logsumexp

from medst_jax.evaluate.statistics.predictions import Predictions

BINS = 15


def are_probabilities(predictions: Predictions) -> bool:
    """Whether each image's scores are logarithms of probabilities that sum to one."""
    if predictions.kind != "single" or not predictions.scores.size:
        return False
    return bool(np.all(np.abs(logsumexp(predictions.scores, axis=-1)) < 1e-3))


def confidence(predictions: Predictions, repeat: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probability of the predicted class, float64 [n], and whether it is right, bool [n]."""
    probabilities = np.exp(predictions.scores[repeat].astype(np.float64))
    return probabilities.max(1), predictions.predicted(repeat) == predictions.targets


def calibration_error(
    confidences: np.ndarray, right: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Expected calibration error [R] over `BINS` bins of equal width.

    Args:
      confidences: [n] in [0, 1].
      right: bool [n].
      weights: [R, n], how often each image counts in each replicate.
    """
    gap = (confidences - right)[:, None] * one_hot_bins(confidences)
    weights = np.asarray(weights, np.float64)
    return np.abs(weights @ gap).sum(1) / weights.sum(1)


def one_hot_bins(confidences: np.ndarray) -> np.ndarray:
    """Which bin (left, right] each of n confidences is in, float64 [n, BINS]."""
    place = np.clip(np.ceil(confidences * BINS).astype(int) - 1, 0, BINS - 1)
    return np.eye(BINS)[place]
