# SPDX-License-Identifier: Apache-2.0
"""Several checkpoints of one run that are asked together, by the mean of their probabilities.

Reference: Tiu et al., "Expert-level detection of pathologies from unannotated chest X-ray images via
self-supervised learning", Nature Biomedical Engineering 6, 2022: the softmax of the scores of two texts,
averaged over the ten checkpoints that are best on validation images.
"""

from collections.abc import Sequence

import numpy as np

from medst_jax.evaluate.statistics.metrics import auroc, mean_defined
from medst_jax.evaluate.statistics.outcome import NotApplicable


def odds_of_the_mean(differences: Sequence[np.ndarray]) -> np.ndarray:
    """Logarithm of the odds of the mean probability, in the dtype of the first.

    It rises with that probability, so areas and thresholds are its own; it is above zero where the
    probability is above one half; and of one checkpoint it is the difference itself.

    Args:
      differences: of each checkpoint the score of the affirming text less that of the denying one,
        of any shape; their softmax is the logistic function of it.
    """
    if len(differences) == 1:
        return differences[0]
    probabilities = [1 / (1 + np.exp(-np.asarray(d, np.float64))) for d in differences]
    mean = np.mean(probabilities, axis=0)
    return np.asarray(np.log(mean / (1 - mean)), differences[0].dtype)


def best_checkpoints(
    targets: np.ndarray, scores: Sequence[np.ndarray], count: int
) -> tuple[int, ...]:
    """Places of the `count` checkpoints with the highest mean AUROC, in the order given.

    Args:
      targets: int8 [n, C] of validation images: 1, 0, -1 unknown.
      scores: of each checkpoint [n, C].
      count: at least 1. Of equals the first are taken.

    Raises:
      NotApplicable: no class has both kinds of validation images.
    """

    def area(of_one: np.ndarray) -> float:
        areas = []
        for column, truth in zip(of_one.T, targets.T, strict=True):
            known = truth >= 0
            areas.append(auroc(truth[known] == 1, column[known], np.ones((1, known.sum())))[0])
        return float(mean_defined(np.array(areas)[None])[0])

    by_checkpoint = [area(of_one) for of_one in scores]
    if not np.all(np.isfinite(by_checkpoint)):
        raise NotApplicable(
            "no class has validation images with and without it, by which checkpoints could be "
            "chosen; leave best_checkpoints out to average all"
        )
    order = sorted(range(len(by_checkpoint)), key=lambda place: -by_checkpoint[place])
    return tuple(sorted(order[:count]))
