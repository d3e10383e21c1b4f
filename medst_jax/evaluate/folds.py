# SPDX-License-Identifier: Apache-2.0
"""Cross-validated scores whose folds keep a patient together."""

from collections.abc import Callable

import numpy as np
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.svm import SVC


def linear_svm(seed: int) -> SVC:
    """The published classifier of image progression: linear kernel, C = 1, one against rest."""
    return SVC(kernel="linear", C=1.0, random_state=seed)


def linear_head(seed: int) -> LogisticRegression:
    """A linear softmax layer, L2 at C = 1."""
    return LogisticRegression(C=1.0, max_iter=1000, random_state=seed)


CLASSIFIERS: dict[str, Callable[[int], SVC | LogisticRegression]] = {
    "svm": linear_svm,
    "linear": linear_head,
}


def patient_folds(
    targets: np.ndarray, patients: np.ndarray, folds: int, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Train and test positions of each fold; no patient on both sides, classes spread evenly."""
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    return list(splitter.split(np.zeros((len(targets), 1)), targets, patients))


def released_folds(
    targets: np.ndarray, folds: int, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Folds of the Med-ST release: rows shuffled once, then cut; a patient may be on both sides."""
    order = np.random.RandomState(seed).permutation(len(targets))
    splitter = StratifiedKFold(folds).split(np.zeros((len(targets), 1)), targets[order])
    return [(order[train], order[test]) for train, test in splitter]


def cross_scores(
    features: np.ndarray,
    targets: np.ndarray,
    folds: list[tuple[np.ndarray, np.ndarray]],
    classifier: SVC | LogisticRegression,
    held: np.ndarray | None = None,
) -> np.ndarray:
    """Scores float32 [n, C] of every row by the classifier of the fold that held it out.

    Args:
      features: [n, D] to train on.
      targets: int [n], classes 0 to C - 1, every one of them in the training part of each fold.
      folds: of `patient_folds` or `released_folds`.
      classifier: cloned and fitted for each fold.
      held: [n, D] to be scored in place of `features`, such as those of altered inputs.
    """
    held = features if held is None else held
    classes = int(targets.max()) + 1
    scores = np.full((len(targets), classes), -np.inf, np.float32)
    for train, test in folds:
        fitted = clone(classifier).fit(features[train], targets[train])
        values = fitted.decision_function(held[test])
        if values.ndim == 1:  # two classes give one column
            values = np.stack([-values, values], axis=1)
        scores[np.ix_(test, fitted.classes_)] = values
    return scores
