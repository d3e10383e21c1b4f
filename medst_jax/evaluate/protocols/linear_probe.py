# SPDX-License-Identifier: Apache-2.0
"""Few-shot linear probe on raw image features.

Settings of "A Reality Check of Vision-Language Pre-training in Radiology" (arXiv:2504.05227):
features before any projection, not normalised; scikit-learn's logistic regression with L2,
C = 0.316, lbfgs, 1,000 iterations, balanced class weights, random state 0; five sets of
shots. The test images are the same for all of them and share no patient with the training images;
a number is the mean over the sets, its interval that of the patients.
"""

import dataclasses

import numpy as np
from tqdm import tqdm

from medst_jax.evaluate.fitting.logistic_regression import probe_scores
from medst_jax.evaluate.statistics.outcome import Outcome, Part
from medst_jax.evaluate.statistics.predictions import Predictions
from medst_jax.evaluate.subjects.context import EvaluationContext
from medst_jax.evaluate.subjects.tasks import TaskOptions
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
      fractions: training images as fractions of each class; 1.0 is fitted once.
      draws: repetitions with other shots.
    """

    task: TaskOptions
    train: TaskOptions | None = None
    test_fraction: float = 0.2
    shots: tuple[int, ...] = (1, 2, 4, 8, 16)
    fractions: tuple[float, ...] = ()
    draws: int = 5


def linear_probe(options: LinearProbeOptions, context: EvaluationContext) -> Outcome:
    """Fit and test the probe at every number of shots.

    Raises:
      ValueError: a class without a training image.
    """
    train, test = train_and_test(options.task, options.train, options.test_fraction, context)
    train_features = context.embed(train.options.dataset, train.options.split, train.rows).features
    test_features = context.embed(test.options.dataset, test.options.split, test.rows).features
    wanted = [(f"{shots} shots", float(shots), options.draws) for shots in options.shots]
    for fraction in options.fractions:
        wanted.append((f"{fraction:.0%}", -fraction, 1 if fraction == 1 else options.draws))
    parts = []
    quiet = not context.data.progress
    for name, amount, repeats in tqdm(wanted, desc="linear probe", disable=quiet):
        runs = [
            probe_scores(train, train_features, test_features, amount, seed)
            for seed in range(repeats)
        ]
        scores = np.stack([scores for scores, _ in runs]).astype(np.float32)
        failed = sum(not converged for _, converged in runs)
        predictions = Predictions(
            test.options.kind, test.patients, test.targets, scores, test.classes
        )
        note = f"solver not converged in {failed} of {repeats} draws" if failed else ""
        parts.append(Part(name, predictions, test.rows, note))
    return Outcome(test.options.dataset, test.options.split, tuple(parts))
