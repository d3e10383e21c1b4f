# SPDX-License-Identifier: Apache-2.0
"""Cross-validated scores whose folds keep a patient together."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC


def linear_svm(seed: int) -> SVC:
    """The published classifier of image progression: linear kernel, C = 1, one against rest."""
    return SVC(kernel="linear", C=1.0, random_state=seed)


def linear_head(seed: int) -> LogisticRegression:
    """A linear softmax layer, L2 at C = 1."""
    return LogisticRegression(C=1.0, max_iter=1000, random_state=seed)


def scaled_head(seed: int) -> Pipeline:
    """`linear_head` at C = 0.1 on features scaled to mean 0 and deviation 1 over the training fold.

    Features of unit norm that lie close together differ by too little for a penalty of C = 1: the
    other two classifiers then answer the most frequent class nearly always. Here every class has
    the same weight, as in the macro accuracy.
    """
    head = LogisticRegression(C=0.1, class_weight="balanced", max_iter=1000, random_state=seed)
    return make_pipeline(StandardScaler(), head)


Classifier: TypeAlias = SVC | LogisticRegression | Pipeline
CLASSIFIERS: dict[str, Callable[[int], Classifier]] = {
    "svm": linear_svm,
    "linear": linear_head,
    "scaled": scaled_head,
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
    classifier: Classifier,
) -> np.ndarray:
    """Scores float32 [n, C] of every row by the classifier of the fold that held it out.

    Args:
      features: [n, D].
      targets: int [n], classes 0 to C - 1, every one of them in the training part of each fold.
      folds: of `patient_folds` or `released_folds`.
      classifier: cloned and fitted for each fold.
    """
    return scores_of_altered(features, targets, folds, classifier, {"": features})[""]


def scores_of_altered(
    features: np.ndarray,
    targets: np.ndarray,
    folds: list[tuple[np.ndarray, np.ndarray]],
    classifier: Classifier,
    altered: Mapping[str, np.ndarray],
) -> dict[str, np.ndarray]:
    """`cross_scores` of other features [n, D], such as those of altered inputs, by name.

    A fold's classifier is fitted once, to `features`.
    """
    classes = int(targets.max()) + 1
    scores = {k: np.full((len(targets), classes), -np.inf, np.float32) for k in altered}
    for train, test in folds:
        fitted = clone(classifier).fit(features[train], targets[train])
        for name, inputs in altered.items():
            values = fitted.decision_function(inputs[test])
            if values.ndim == 1:  # two classes give one column
                values = np.stack([-values, values], axis=1)
            scores[name][np.ix_(test, fitted.classes_)] = values
    return scores
