# SPDX-License-Identifier: Apache-2.0
"""Cross-validated scores whose folds keep a patient together."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC


def linear_svm(seed: int) -> SVC:
    """The published classifier of image progression: libsvm with a linear kernel and C = 1.

    It fits one machine for each pair of classes, three of three classes, and `predict` counts their
    votes. The scores that `decision_function` gives are one a class: its votes, and the summed
    margins squeezed to less than a third beside them, so that the highest score is the predicted
    class where no two classes have equal votes.
    """
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
    """Train and test positions of each fold; no patient on both sides.

    Args:
      targets: int [n] classes, which are spread evenly; or int8 [n, C] of classes that are asked one
        by one, which are not.
      patients: int [n].
      folds: how many.
      seed: of the shuffle.
    """
    kind = GroupKFold if targets.ndim == 2 else StratifiedGroupKFold
    splitter = kind(folds, shuffle=True, random_state=seed)
    return list(splitter.split(np.zeros((len(targets), 1)), targets, patients))


def released_folds(
    targets: np.ndarray,
    folds: int,
    seed: int,
    place: np.ndarray | None = None,
    table: int | None = None,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Folds of the Med-ST release: its table is shuffled once, then cut; patients are not kept together.

    Args:
      targets: int [n] classes, of which each fold has its share.
      folds: how many.
      seed: of the shuffle, as `pandas.DataFrame.sample` draws it.
      place: int [n], the row of each example in the table, which may hold others besides; by
        default the examples are the table.
      table: rows of the table.

    Returns:
      Train and test positions of each fold, test rows in the shuffled order.
    """
    place = np.arange(len(targets)) if place is None else place
    drawn = np.random.RandomState(seed).permutation(len(place) if table is None else table)
    order = np.argsort(np.argsort(drawn)[place], kind="stable")
    splitter = StratifiedKFold(folds).split(np.zeros((len(targets), 1)), targets[order])
    return [(order[train], order[test]) for train, test in splitter]


def fold_accuracy(
    features: np.ndarray,
    targets: np.ndarray,
    folds: list[tuple[np.ndarray, np.ndarray]],
    classifier: Classifier,
) -> np.ndarray:
    """float32 [n] whose mean is the accuracy averaged over folds, as `cross_val_score` gives it.

    1 of a right prediction times n / (folds x size of its fold), 0 of a wrong one. Predictions are
    those of `predict`.

    Args:
      features: [n, D].
      targets: int [n].
      folds: every example is tested once.
      classifier: cloned and fitted for each fold.
    """
    values = np.zeros(len(targets), np.float32)
    for train, test in folds:
        predicted = clone(classifier).fit(features[train], targets[train]).predict(features[test])
        values[test] = (predicted == targets[test]) * (len(targets) / (len(folds) * len(test)))
    return values


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
