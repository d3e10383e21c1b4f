# SPDX-License-Identifier: Apache-2.0
"""Few-shot linear probe on raw image features.

Settings of "A Reality Check of Vision-Language Pre-training in Radiology" (arXiv:2504.05227):
features before any projection, not normalised; scikit-learn's logistic regression with L2,
C = 0.316, lbfgs, 1,000 iterations, balanced class weights, random state 0; five sets of
shots. The test images are the same for all of them and share no patient with the training images;
a number is the mean over the sets, its interval that of the patients.

A data set without a training split is cut in one of three ways: `held_out` keeps a fifth of the
patients for the test; `folds` tests every image once, in five folds by patient; `released` is the
release's: five draws, each with other test images, the balanced accuracy averaged over them, and a
patient may be on both sides.
"""

import dataclasses
from typing import Literal

import numpy as np
from tqdm import tqdm

from medst_jax.evaluate.fitting.logistic_regression import class_scores, probe_scores
from medst_jax.evaluate.statistics.outcome import Outcome, Part
from medst_jax.evaluate.statistics.predictions import Predictions
from medst_jax.evaluate.subjects.context import EvaluationContext
from medst_jax.evaluate.subjects.folds import patient_folds
from medst_jax.evaluate.subjects.shots import released_split
from medst_jax.evaluate.subjects.tasks import Task, TaskOptions
from medst_jax.evaluate.subjects.train_and_test import train_and_test
from medst_jax.options import before


@dataclasses.dataclass(frozen=True)
class LinearProbeOptions:
    """Options of `linear_probe`.

    Attributes:
      task: the test images; kind "multi" fits one classifier per class on K positives and K
        negatives.
      train: the training images, whose classes and kind are those of `task`; None takes them
        from the test split itself, see `without_train`.
      test_fraction: of the patients that are held out; of each class's images where `released`.
      shots: training images per class.
      fractions: training images as fractions of each class; 1.0 is fitted once.
      draws: repetitions with other shots.
      without_train: how the test split is cut where `train` is None: "held_out", "folds" or
        "released"; the last for kind "single".
      folds: of `folds`.

    Raises:
      ValueError: a data set is to be cut that has a training split, or cannot be cut this way.
    """

    task: TaskOptions
    train: TaskOptions | None = None
    test_fraction: float = 0.2
    shots: tuple[int, ...] = (1, 2, 4, 8, 16)
    fractions: tuple[float, ...] = ()
    draws: int = 5
    without_train: Literal["held_out", "folds", "released"] = dataclasses.field(
        default="held_out", metadata=before("held_out")
    )
    folds: int = dataclasses.field(default=5, metadata=before(5))

    def __post_init__(self) -> None:
        if self.without_train == "held_out":
            return
        if self.train is not None:
            raise ValueError(
                f"without_train is {self.without_train!r}, and `train` names a training split: "
                "leave one of them out"
            )
        if self.without_train == "released" and self.task.kind != "single":
            raise ValueError(
                "without_train='released' takes shots of single classes; kind is "
                f"{self.task.kind!r}"
            )


def linear_probe(options: LinearProbeOptions, context: EvaluationContext) -> Outcome:
    """Fit and test the probe at every number of shots.

    Raises:
      ValueError: a class without a training image.
    """
    wanted = [(f"{shots} shots", float(shots), options.draws) for shots in options.shots]
    for fraction in options.fractions:
        whole = fraction == 1 and options.without_train != "released"
        wanted.append((f"{fraction:.0%}", -fraction, 1 if whole else options.draws))
    probe = _PROBES[options.without_train](options, context)
    parts = []
    quiet = not context.data.progress
    for name, amount, repeats in tqdm(wanted, desc="linear probe", disable=quiet):
        runs = [probe.scores(amount, seed) for seed in range(repeats)]
        failed = sum(not converged for _, converged in runs)
        note = f"solver not converged in {failed} of {repeats} draws" if failed else ""
        predictions = probe.predictions(np.stack([scores for scores, _ in runs]))
        parts.append(Part(name, predictions, probe.test.rows, note))
    return Outcome(probe.test.options.dataset, probe.test.options.split, tuple(parts))


class _HeldOut:
    """Training and test images of their own."""

    def __init__(self, options: LinearProbeOptions, context: EvaluationContext) -> None:
        self.train, self.test = train_and_test(
            options.task, options.train, options.test_fraction, context
        )
        self._train_features = _features(self.train, context)
        self._test_features = _features(self.test, context)

    def scores(self, amount: float, seed: int) -> tuple[np.ndarray, bool]:
        return probe_scores(self.train, self._train_features, self._test_features, amount, seed)

    def predictions(self, scores: np.ndarray) -> Predictions:
        test = self.test
        scores = scores.astype(np.float32)
        return Predictions(test.options.kind, test.patients, test.targets, scores, test.classes)


class _Folds(_HeldOut):
    """Every image is tested by the probe of the folds that held it out; the draw shuffles the folds."""

    def __init__(self, options: LinearProbeOptions, context: EvaluationContext) -> None:
        self.test = context.data.task(options.task)
        self._folds, self._features = options.folds, _features(self.test, context)

    def scores(self, amount: float, seed: int) -> tuple[np.ndarray, bool]:
        test, features = self.test, self._features
        scores, all_converged = np.zeros((len(test.rows), len(test.classes))), True
        for fit, held_out in patient_folds(test.targets, test.patients, self._folds, seed):
            scores[held_out], converged = probe_scores(
                test.subset(fit), features[fit], features[held_out], amount, seed
            )
            all_converged &= converged
        return scores, all_converged


class _Released:
    """A draw tests the first images of each class and trains on the next, as DLILP's release does."""

    def __init__(self, options: LinearProbeOptions, context: EvaluationContext) -> None:
        self.test = context.data.task(options.task)
        self._fraction, self._features = options.test_fraction, _features(self.test, context)

    def scores(self, amount: float, seed: int) -> tuple[np.ndarray, bool]:
        """1 where a tested image is classified rightly, NaN where it is not tested: [n, 1]."""
        targets, features = self.test.targets, self._features
        fit, tested = released_split(targets, self._fraction, amount, seed)
        scores, converged = class_scores(features[fit], targets[fit], features[tested])
        hits = np.full((len(targets), 1), np.nan)
        hits[tested, 0] = scores.argmax(1) == targets[tested]
        return hits, converged

    def predictions(self, scores: np.ndarray) -> Predictions:
        test = self.test
        return Predictions.measured(test.patients, scores, ("balanced_accuracy",), test.targets)


_PROBES: dict[str, type[_HeldOut] | type[_Released]] = {
    "held_out": _HeldOut,
    "folds": _Folds,
    "released": _Released,
}


def _features(task: Task, context: EvaluationContext) -> np.ndarray:
    return context.embed(task.options.dataset, task.options.split, task.rows).features
