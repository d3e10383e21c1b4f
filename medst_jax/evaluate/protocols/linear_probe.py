# SPDX-License-Identifier: Apache-2.0
"""Few-shot linear probe on raw image features.

Settings of "A Reality Check of Vision-Language Pre-training in Radiology" (arXiv:2504.05227):
features before any projection, not normalised; scikit-learn's logistic regression with L2,
C = 0.316, lbfgs, 1,000 iterations, balanced class weights, random state 0; five draws of the
shots. The test images are the same in every draw and share no patient with the training images;
a number is the mean over the draws, its interval that of the patients.
"""

import dataclasses
import warnings

import numpy as np
from scipy.special import log_softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from tqdm import tqdm

from medst_jax.evaluate.statistics.outcome import Outcome, Part
from medst_jax.evaluate.statistics.predictions import Predictions
from medst_jax.evaluate.subjects.bench import Bench
from medst_jax.evaluate.subjects.shots import take_fraction, take_shots
from medst_jax.evaluate.subjects.tasks import Task, TaskOptions
from medst_jax.evaluate.subjects.train_and_test import train_and_test


@dataclasses.dataclass(frozen=True)
class LinearProbeOptions:
    """Options of `linear_probe`.

    Attributes:
      task: the test images; kind "multi" fits one classifier per class on K positives and K
        negatives.
      train: the training images, whose classes and kind are those of `task`; None takes them
        from the test split itself, by patient.
      test_fraction: of the patients, where `train` is None.
      shots: training images per class.
      fractions: training images as fractions of each class; 1.0 is fitted once, not per draw.
      draws: repetitions with other shots.
    """

    task: TaskOptions
    train: TaskOptions | None = None
    test_fraction: float = 0.2
    shots: tuple[int, ...] = (1, 2, 4, 8, 16)
    fractions: tuple[float, ...] = ()
    draws: int = 5


def linear_probe(options: LinearProbeOptions, bench: Bench) -> Outcome:
    """Fit and test the probe at every number of shots.

    Raises:
      ValueError: a class without a training image.
    """
    train, test = train_and_test(options.task, options.train, options.test_fraction, bench)
    fit = bench.embed(train.options.dataset, train.options.split, train.rows).features
    held = bench.embed(test.options.dataset, test.options.split, test.rows).features
    wanted = [(f"{shots} shots", float(shots), options.draws) for shots in options.shots]
    for fraction in options.fractions:
        wanted.append((f"{fraction:.0%}", -fraction, 1 if fraction == 1 else options.draws))
    parts = []
    quiet = not bench.library.progress
    for name, amount, draws in tqdm(wanted, desc="linear probe", disable=quiet):
        runs = [probe_scores(train, fit, held, amount, draw) for draw in range(draws)]
        scores = np.stack([scores for scores, _ in runs]).astype(np.float32)
        failed = sum(not converged for _, converged in runs)
        predictions = Predictions(
            test.options.kind, test.patients, test.targets, scores, test.classes
        )
        note = f"solver not converged in {failed} of {draws} draws" if failed else ""
        parts.append(Part(name, predictions, test.rows, note))
    return Outcome(test.options.dataset, test.options.split, tuple(parts))


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
    train: Task, fit: np.ndarray, held: np.ndarray, amount: float, draw: int
) -> tuple[np.ndarray, bool]:
    """Scores of one draw of training images.

    Args:
      train: the training images.
      fit: their features [n, D].
      held: features [m, D].
      amount: shots, or minus the fraction of the training images: -1 takes all.
      draw: number of the draw.

    Returns:
      (scores, converged): float [m, C], and whether every solver did.
    """
    if train.options.kind == "single":
        chosen = _chosen(train.targets, amount, draw)
        probe, converged = fit_probe(fit[chosen], train.targets[chosen])
        return _log_probabilities(probe, held), converged
    columns, all_converged = [], True
    for c in range(len(train.classes)):
        chosen = _chosen(train.targets[:, c], amount, draw)
        probe, converged = fit_probe(fit[chosen], train.targets[chosen, c])
        columns.append(probe.decision_function(held))
        all_converged &= converged
    return np.stack(columns, axis=1), all_converged


def _log_probabilities(probe: LogisticRegression, features: np.ndarray) -> np.ndarray:
    """log p [n, C]; not the logarithm of `predict_proba`, which far from the plane is that of 0."""
    logits = probe.decision_function(features)
    if logits.ndim == 1:
        logits = np.stack([np.zeros_like(logits), logits], axis=1)
    return log_softmax(logits, axis=1)


def _chosen(targets: np.ndarray, amount: float, draw: int) -> np.ndarray:
    if amount < 0:
        return take_fraction(targets, -amount, draw)
    return take_shots(targets, int(amount), draw)
