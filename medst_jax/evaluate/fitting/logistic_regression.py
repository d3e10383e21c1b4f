# SPDX-License-Identifier: Apache-2.0
"""The logistic regression of few-shot probes, on features of training images."""

import warnings

import numpy as np
from scipy.special import log_softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from medst_jax.evaluate.subjects.shots import take_fraction, take_shots
from medst_jax.evaluate.subjects.tasks import Task


def fit_probe(features: np.ndarray, targets: np.ndarray) -> tuple[LogisticRegression, bool]:
    """The paper's logistic regression, and whether its solver converged."""
    probe = LogisticRegression(
        C=0.316, solver="lbfgs", max_iter=1000, class_weight="balanced", random_state=0
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        probe.fit(features, targets)
    converged = not any(issubclass(w.category, ConvergenceWarning) for w in caught)
    return probe, converged


def probe_scores(
    train: Task, train_features: np.ndarray, test_features: np.ndarray, amount: float, seed: int
) -> tuple[np.ndarray, bool]:
    """Scores of one set of training images.

    Args:
      train: the training images.
      train_features: their features [n, D].
      test_features: features [m, D].
      amount: shots, or minus the fraction of the training images: -1 takes all.
      seed: of the choice of images.

    Returns:
      (scores, converged): float [m, C], and whether every solver did.
    """
    if train.options.kind == "single":
        chosen = _chosen(train.targets, amount, seed)
        return class_scores(train_features[chosen], train.targets[chosen], test_features)
    columns, all_converged = [], True
    for c in range(len(train.classes)):
        chosen = _chosen(train.targets[:, c], amount, seed)
        probe, converged = fit_probe(train_features[chosen], train.targets[chosen, c])
        columns.append(probe.decision_function(test_features))
        all_converged &= converged
    return np.stack(columns, axis=1), all_converged


def class_scores(
    train_features: np.ndarray, targets: np.ndarray, test_features: np.ndarray
) -> tuple[np.ndarray, bool]:
    """Log-probabilities float [m, C] of classes 0 to C - 1, all of them in `targets` int [n]."""
    probe, converged = fit_probe(train_features, targets)
    return _log_probabilities(probe, test_features), converged


def _log_probabilities(probe: LogisticRegression, features: np.ndarray) -> np.ndarray:
    """log p [n, C]; not the logarithm of `predict_proba`, which far from the plane is that of 0."""
    logits = probe.decision_function(features)
    if logits.ndim == 1:
        logits = np.stack([np.zeros_like(logits), logits], axis=1)
    return log_softmax(logits, axis=1)


def _chosen(targets: np.ndarray, amount: float, seed: int) -> np.ndarray:
    if amount < 0:
        return take_fraction(targets, -amount, seed)
    return take_shots(targets, int(amount), seed)
