# SPDX-License-Identifier: Apache-2.0
"""Decisions of classes that are asked one by one, by thresholds of validation images.

Of each class the threshold with the highest Matthews correlation on the validation images, as CheXzero
does (Tiu et al., Nature BME 2022): an image at or above it has the class. No test image is looked at.
"""

from collections.abc import Callable

import numpy as np

from medst_jax.evaluate.statistics import measure, metrics
from medst_jax.evaluate.statistics.outcome import DerivedMetric, NotApplicable
from medst_jax.evaluate.statistics.predictions import Predictions

METRICS = ("mcc", "f1")
PART = "thresholds"


def best_threshold(targets: np.ndarray, scores: np.ndarray) -> float:
    """The lowest score [n] with the highest Matthews correlation with `targets` bool [n]."""
    cuts = np.unique(scores)
    ones = np.ones((1, len(scores)))
    values = [metrics.binary_scores(targets, scores >= cut, ones)["mcc"][0] for cut in cuts]
    return float(cuts[int(np.argmax(values))])


def decided(test: Predictions, targets: np.ndarray, scores: np.ndarray) -> list[DerivedMetric]:
    """Matthews correlation and F1 of the test images, of each class and as means over classes.

    Args:
      test: of kind "multi".
      targets: int8 [m, C] of the validation images: 1, 0, -1 unknown.
      scores: [m, C] of the validation images.

    Raises:
      NotApplicable: a class without a positive or a negative validation image.
    """
    answers, small = [], test.positives() < measure.MIN_POSITIVES
    for c, name in enumerate(test.classes):
        known = targets[:, c] >= 0
        truth = targets[known, c] == 1
        if truth.all() or not truth.any():
            raise NotApplicable(f"no threshold of {name}: the validation images are of one kind")
        answers.append(test.scores[0, :, c] >= best_threshold(truth, scores[known, c]))

    def value(metric: str, columns: tuple[int, ...]) -> Callable[[np.ndarray], np.ndarray]:
        def statistic(weights: np.ndarray) -> np.ndarray:
            each = []
            for c in columns:
                known = test.targets[:, c] >= 0
                truth = test.targets[known, c] == 1
                each.append(
                    metrics.binary_scores(truth, answers[c][known], weights[:, known])[metric]
                )
            return np.mean(each, axis=0)

        return statistic

    places = {"": tuple(range(len(test.classes)))}
    places |= {f"/{name}": (c,) for c, name in enumerate(test.classes)}
    return [
        DerivedMetric(
            PART,
            f"{metric}{suffix}",
            value(metric, columns),
            test.patients,
            bool(small[list(columns)].any()),
        )
        for metric in METRICS
        for suffix, columns in places.items()
    ]
