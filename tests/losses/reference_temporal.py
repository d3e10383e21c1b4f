# SPDX-License-Identifier: Apache-2.0
"""Independent float64 numpy readings of the losses on study sequences."""

import numpy as np

from tests.losses.reference import softmax


def _scores(x, keys, tau) -> np.ndarray:
    return np.array([-np.sum((x - key) ** 2) for key in keys]) / tau


def _rivals(negatives, n, kept, i) -> list[int]:
    """Study i of the ones kept and those that may be taken for it, by their place among them."""
    if negatives is None:
        return list(range(int(np.sum(kept))))
    allowed = negatives[n][np.ix_(kept, kept)]
    return [k for k in range(len(allowed)) if k == i or allowed[i, k]]


def forward_mapping(source, target, study_mask, tau, negatives=None) -> float:
    terms = []
    for n, (a, b, kept) in enumerate(zip(source, target, study_mask, strict=True)):
        for i in range(int(np.sum(kept))):
            rivals = _rivals(negatives, n, kept, i)
            shares = softmax(_scores(a[kept][i], b[kept][rivals], tau))
            terms.append(-np.log(shares[rivals.index(i)]))
    return float(np.mean(terms)) if terms else 0.0


def times_of(days, kept) -> np.ndarray:
    """Times of the studies that are there."""
    count = int(np.sum(kept))
    if days is not None and count > 1:
        d = np.asarray(days)[kept]
        if np.all(np.isfinite(d)) and np.all(np.diff(d) > 0):
            return (d - d[0]) / (d[-1] - d[0]) * (count - 1) / count
    return np.arange(count) / max(count, 1)


def reverse_mapping(
    source, target, study_mask, days, tau, variance_weight, delta, negatives=None
) -> float:
    terms = []
    for n, kept in enumerate(study_mask):
        a, b = source[n][kept], target[n][kept]
        times = times_of(None if days is None else days[n], kept)
        for i in range(len(a)):
            rivals = _rivals(negatives, n, kept, i)
            found = softmax(_scores(a[i], b[rivals], tau)) @ b[rivals]
            back = softmax(_scores(found, a[rivals], tau))
            mean = float(np.dot(back, times[rivals]))
            log_variance = np.log(np.dot(back, (times[rivals] - mean) ** 2) + 1e-7)
            error = abs(times[i] - mean)
            if error < delta:
                terms.append(np.exp(-log_variance) * error**2 + variance_weight * log_variance)
            else:
                terms.append(delta * (error - delta / 2))
    return float(np.mean(terms)) if terms else 0.0


def cycle_consistency(
    image, text, study_mask, days, tau, variance_weight, delta, negatives=None
) -> float:
    several = study_mask & (study_mask.sum(1, keepdims=True) > 1)
    return sum(
        forward_mapping(a, b, several, tau, negatives)
        + reverse_mapping(a, b, several, days, tau, variance_weight, delta, negatives)
        for a, b in ((image, text), (text, image))
    )
