# SPDX-License-Identifier: Apache-2.0
"""Weighted classification metrics, vectorised over bootstrap replicates.

Every function takes `weights` [R, n]: how often each of the n images counts in each of R replicates
(all ones: the plain metric) and returns [R], or [R, C] per class. A metric that a replicate leaves
undefined, for want of positives or negatives, is NaN there. Computation is in float64.
"""

import numpy as np


def auroc(targets: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Area under the ROC curve, ties counting one half (Mann-Whitney).

    Args:
      targets: bool [n].
      scores: [n], larger means more positive.
      weights: [R, n], not negative.

    Returns:
      [R] in [0, 1]; NaN where a replicate has no positive or no negative.
    """
    scores, truth = np.asarray(scores), np.asarray(targets, bool)
    # One row per image: rows are gathered and added whole, which is what makes 2,000 replicates cheap.
    rows = np.asarray(weights, np.float64).T
    negatives = np.flatnonzero(~truth)
    negatives = negatives[np.argsort(scores[negatives], kind="stable")]
    below = np.zeros((len(negatives) + 1, rows.shape[1]))
    np.cumsum(rows[negatives], axis=0, out=below[1:])
    positive, ordered = rows[truth], scores[negatives]
    # Negatives below each positive, and those with its own score half.
    first, last = (np.searchsorted(ordered, scores[truth], side) for side in ("left", "right"))
    wins = np.einsum("nr,nr->r", positive, below[first])
    wins += np.einsum("nr,nr->r", positive, below[last])
    pairs = positive.sum(0) * below[-1]
    return np.divide(0.5 * wins, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)


def roc_curve(targets: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """False and true positive rates at every distinct threshold, from (0, 0) to (1, 1)."""
    order = np.argsort(-np.asarray(scores), kind="stable")
    truth = np.asarray(targets, bool)[order]
    ends = np.flatnonzero(np.r_[np.diff(np.asarray(scores)[order]) != 0, True])
    true, false = np.cumsum(truth)[ends], np.cumsum(~truth)[ends]
    return np.r_[0, false / max(false[-1], 1)], np.r_[0, true / max(true[-1], 1)]


def precision_recall_curve(
    targets: np.ndarray, scores: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Recall and precision at every distinct threshold, from the highest score down."""
    order = np.argsort(-np.asarray(scores), kind="stable")
    truth = np.asarray(targets, bool)[order]
    ends = np.flatnonzero(np.r_[np.diff(np.asarray(scores)[order]) != 0, True])
    true = np.cumsum(truth)[ends]
    return true / max(true[-1], 1), true / (ends + 1)


def confusion(
    targets: np.ndarray, predicted: np.ndarray, classes: int, weights: np.ndarray
) -> np.ndarray:
    """Weighted counts [R, C, C]: rows are true classes, columns predicted ones."""
    cell = np.asarray(targets) * classes + np.asarray(predicted)
    one_hot = (cell[:, None] == np.arange(classes * classes)).astype(np.float64)
    return (np.asarray(weights, np.float64) @ one_hot).reshape(-1, classes, classes)


def accuracy(matrix: np.ndarray) -> np.ndarray:
    """Share of images classified rightly [R]; from `confusion` [R, C, C]."""
    return np.trace(matrix, axis1=1, axis2=2) / matrix.sum((1, 2))


def grouped_mean(values: np.ndarray, groups: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean over groups of the weighted mean within each, [R].

    Args:
      values: [n], NaN where there is none.
      groups: int [n].
      weights: [R, n].

    A group that a replicate leaves empty is left out of it.
    """
    known = ~np.isnan(values)
    member = (groups[known, None] == np.unique(groups[known])[None]).astype(np.float64)
    weights = np.asarray(weights, np.float64)[:, known]
    totals, counts = weights @ (member * values[known, None]), weights @ member
    means = np.divide(totals, counts, out=np.full_like(totals, np.nan), where=counts > 0)
    present = ~np.isnan(means)
    sums = np.where(present, means, 0.0).sum(1)
    number = present.sum(1)
    return np.divide(sums, number, out=np.full(len(sums), np.nan), where=number > 0)


def recalls(matrix: np.ndarray) -> np.ndarray:
    """Recall of each class [R, C], NaN where a replicate lacks it; from `confusion` [R, C, C]."""
    total = matrix.sum(2)
    hits = np.diagonal(matrix, axis1=1, axis2=2)
    return np.divide(hits, total, out=np.full_like(total, np.nan), where=total > 0)


def balanced_accuracy(matrix: np.ndarray) -> np.ndarray:
    """Mean recall over the classes that occur in the replicate ("ACA"); from `confusion` [R, C, C]."""
    return mean_defined(recalls(matrix))


def harmonic_mean(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """2ab / (a + b), zero where both are."""
    total = first + second
    return np.divide(2 * first * second, total, out=np.zeros_like(total), where=total > 0)


def harmonic_recall(matrix: np.ndarray, base: int) -> np.ndarray:
    """Harmonic mean of the mean recalls of the first `base` classes and of the others, [R]."""
    each = recalls(matrix)
    return harmonic_mean(mean_defined(each[:, :base]), mean_defined(each[:, base:]))


def class_f1(matrix: np.ndarray) -> np.ndarray:
    """F1 of each class [R, C], NaN where it neither occurs nor is predicted; from `confusion`."""
    hits = np.diagonal(matrix, axis1=1, axis2=2)
    total = matrix.sum(1) + matrix.sum(2)
    return np.divide(2 * hits, total, out=np.full_like(total, np.nan), where=total > 0)


def macro_f1(matrix: np.ndarray) -> np.ndarray:
    """Mean F1 over the classes that occur or are predicted; from `confusion` [R, C, C]."""
    return mean_defined(class_f1(matrix))


def binary_scores(
    targets: np.ndarray, predicted: np.ndarray, weights: np.ndarray
) -> dict[str, np.ndarray]:
    """Matthews' correlation and F1 of one class, each [R]; 0 where a side is empty.

    Args:
      targets, predicted: bool [n].
      weights: [R, n].
    """
    matrix = confusion(np.asarray(targets, int), np.asarray(predicted, int), 2, weights)
    (tn, fp), (fn, tp) = np.moveaxis(matrix, 0, -1)
    sides = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
    root = np.sqrt(np.where(sides > 0, sides, 1.0))
    mcc = np.where(sides > 0, (tp * tn - fp * fn) / root, 0.0)
    total = 2 * tp + fp + fn
    return {"mcc": mcc, "f1": 2 * tp / np.where(total > 0, total, 1.0)}


def quadratic_kappa(matrix: np.ndarray) -> np.ndarray:
    """Cohen's kappa with quadratic weights over the class order; from `confusion` [R, C, C]."""
    classes = matrix.shape[-1]
    distance = np.subtract.outer(np.arange(classes), np.arange(classes)) ** 2
    expected = matrix.sum(2)[:, :, None] * matrix.sum(1)[:, None, :]
    total = matrix.sum((1, 2))
    chance = (distance * expected).sum((1, 2))
    observed = (distance * matrix).sum((1, 2)) * total
    ratio = np.divide(observed, chance, out=np.full(len(total), np.nan), where=chance > 0)
    return 1.0 - ratio


def weighted_median(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Median [R] of `values` [n] repeated `weights` [R, n] times (mean of the two middle ones)."""
    order = np.argsort(values, kind="stable")
    ordered = np.asarray(values, np.float64)[order]
    cumulative = np.cumsum(np.asarray(weights, np.float64)[:, order], axis=1)
    half = cumulative[:, -1:] / 2
    lower = ordered[np.argmax(cumulative >= half, axis=1)]
    upper = ordered[np.argmax(cumulative > half, axis=1)]
    return (lower + upper) / 2


def mean_defined(values: np.ndarray) -> np.ndarray:
    """Mean [R] over the entries of `values` [R, C] that are not NaN; NaN where all are."""
    valid = np.isfinite(values)
    count = valid.sum(1)
    total = np.where(valid, values, 0.0).sum(1)
    return np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)
