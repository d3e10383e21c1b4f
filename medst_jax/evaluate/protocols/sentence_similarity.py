# SPDX-License-Identifier: Apache-2.0
"""Do two sentences say the same? Cosine of their embeddings, without training.

Temporal sentence similarity of MS-CXR-T (arXiv:2301.04558) and, with relations "entailment"
against "contradiction", the zero-shot form of radiology inference (arXiv:2204.09817). The AUROC
needs no threshold. For the accuracy the threshold comes from the training folds and is applied
to the fold held out. "released accuracy" is that of the Med-ST release beside it: the threshold
of the fold with the best test accuracy, applied to all pairs, test pairs included.
"""

import dataclasses

import numpy as np
from sklearn.model_selection import GroupKFold

from medst_jax.data.records.annotations import SentencePair
from medst_jax.evaluate.statistics.outcome import NotApplicable, Outcome, Part
from medst_jax.evaluate.statistics.predictions import Predictions
from medst_jax.evaluate.subjects.context import EvaluationContext


@dataclasses.dataclass(frozen=True)
class SentenceSimilarityOptions:
    """Options of `sentence_similarity`.

    Attributes:
      dataset, split: with `sentence_pairs`.
      subset: of the pairs, such as "RadGraph"; empty for all.
      same, different: relations of pairs that say the same, and the opposite; others are left
        out.
      folds: of the threshold's cross validation.
    """

    dataset: str
    split: str = "test"
    subset: str = ""
    same: tuple[str, ...] = ("similar",)
    different: tuple[str, ...] = ("different",)
    folds: int = 10


def sentence_similarity(options: SentenceSimilarityOptions, context: EvaluationContext) -> Outcome:
    """Score every pair.

    Raises:
      NotApplicable: the system has no text encoder, or no pair serves.
    """
    if not context.embedder.has_text:
        raise NotApplicable("this system has no text encoder; sentences cannot be embedded")
    chosen = [
        pair
        for pair in context.data.annotations(options.dataset, SentencePair, options.split)
        if pair.subset == options.subset or not options.subset
        if pair.relation in (*options.same, *options.different)
    ]
    same = np.array([pair.relation in options.same for pair in chosen], np.int64)
    if not 0 < same.sum() < len(same):
        raise NotApplicable(
            f"{options.dataset}/{options.split} has no sentence pairs of both {options.same} and "
            f"{options.different} in subset {options.subset or 'all'}"
        )
    first, second = (
        context.embedder.texts([getattr(pair, side) for pair in chosen]).global_
        for side in ("text_a", "text_b")
    )
    scores = np.sum(first * second, axis=1)
    # Pairs about one sentence belong together, in folds and in the bootstrap.
    groups = np.unique([pair.text_a for pair in chosen], return_inverse=True)[1]
    auroc = Predictions("multi", groups, same[:, None], scores[None, :, None], ("same",))
    hits = np.stack(
        [
            cross_validated_hits(scores, same, groups, options.folds),
            released_hits(scores, same, options.folds),
        ],
        axis=1,
    )
    names = ("accuracy", "released accuracy")
    measured = Predictions("values", groups, np.zeros(len(same), np.int64), hits[None], names)
    nowhere = np.zeros(0, np.int64)
    parts = (Part("", auroc, nowhere), Part("threshold", measured, nowhere))
    return Outcome(options.dataset, options.split, parts)


def best_threshold(scores: np.ndarray, same: np.ndarray) -> float:
    """The middle of the first best gap: pairs above it count as the same."""
    ordered = np.sort(np.unique(scores))
    cuts = np.concatenate([[-np.inf], (ordered[1:] + ordered[:-1]) / 2, [np.inf]])
    right = [np.sum((scores > cut) == same) for cut in cuts]
    return float(cuts[int(np.argmax(right))])


def cross_validated_hits(
    scores: np.ndarray, same: np.ndarray, groups: np.ndarray, folds: int
) -> np.ndarray:
    """float32 [n], 1 where a pair is rightly decided by the threshold of the other folds."""
    hits = np.zeros(len(scores), np.float32)
    number = min(folds, len(np.unique(groups)))
    for train, test in GroupKFold(number).split(scores[:, None], same, groups):
        cut = best_threshold(scores[train], same[train])
        hits[test] = (scores[test] > cut) == same[test]
    return hits


def released_hits(scores: np.ndarray, same: np.ndarray, folds: int) -> np.ndarray:
    """float32 [n] under the release's threshold, which has seen the test pairs."""
    grid = np.arange(0, 1.005, 0.005)
    best, chosen = -1.0, 0.0
    for test in np.array_split(np.arange(len(scores)), min(folds, len(scores))):
        train = np.setdiff1d(np.arange(len(scores)), test)
        right = [np.mean((scores[train] > cut) == same[train]) for cut in grid]
        cut = float(grid[int(np.argmax(right))])
        reached = float(np.mean((scores[test] > cut) == same[test]))
        if reached > best:
            best, chosen = reached, cut
    return ((scores > chosen) == same).astype(np.float32)
