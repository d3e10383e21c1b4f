# SPDX-License-Identifier: Apache-2.0
"""Retrieval by class: which of the nearest reports are of studies of the same class, and the reverse.

The setting of the 5x200 sets (GLoRIA, Huang et al., ICCV 2021; BenchX, arXiv:2410.21969): each study has
one class. Precision@K is the share of the K nearest that have the query's class, Hit@K whether any
has. A study's own report is among them. Where scores are equal, studies of other classes come first, so
that a constant embedding gains nothing.
"""

import dataclasses

import numpy as np

from medst_jax.evaluate.protocols.parts.report_texts import report_sentences
from medst_jax.evaluate.statistics.outcome import NotApplicable, Outcome, Part
from medst_jax.evaluate.statistics.predictions import Predictions
from medst_jax.evaluate.subjects.context import EvaluationContext
from medst_jax.evaluate.subjects.tasks import TaskOptions


@dataclasses.dataclass(frozen=True)
class ClassRetrievalOptions:
    """Options of `class_retrieval`.

    Attributes:
      task: studies with a frontal image, of kind "single"; those without a report are left out.
      nearest: the K.

    Raises:
      ValueError: another kind, or a K below 1.
    """

    task: TaskOptions
    nearest: tuple[int, ...] = (1, 5, 10)

    def __post_init__(self) -> None:
        if self.task.kind != "single":
            raise ValueError(
                f"class_retrieval is of studies of one class: kind is {self.task.kind!r}, not 'single'"
            )
        if not self.nearest or min(self.nearest) < 1:
            raise ValueError(f"nearest is {self.nearest}; each must be at least 1")


def class_retrieval(options: ClassRetrievalOptions, context: EvaluationContext) -> Outcome:
    """Precision and hits among the nearest, in both directions.

    Raises:
      NotApplicable: the system has no text encoder.
      ValueError: no study of the task has a report.
    """
    if not context.embedder.has_text:
        raise NotApplicable("this system has no text encoder; there is nothing to retrieve")
    dataset, split = options.task.dataset, options.task.split
    task, studies = context.data.task(options.task), context.data.studies(dataset, split)
    texts = [" ".join(report_sentences(studies, int(row))) for row in task.rows]
    told = np.flatnonzero([bool(text) for text in texts])
    if not len(told):
        raise ValueError(
            f"{dataset}/{split} has no study with a frontal image and a report; class_retrieval needs "
            "a data set with reports"
        )
    task = task.subset(told)
    images = context.embed(dataset, split, task.rows).global_
    vectors = context.embedder.texts([texts[k] for k in told]).global_
    scores, same = images @ vectors.T, task.targets[:, None] == task.targets[None]
    directions = (("image to text", scores), ("text to image", scores.T))
    parts = tuple(
        Part(name, _measured(task.patients, matrix, same, options.nearest), task.rows)
        for name, matrix in directions
    )
    return Outcome(dataset, split, parts)


def _measured(
    patients: np.ndarray, scores: np.ndarray, same: np.ndarray, nearest: tuple[int, ...]
) -> Predictions:
    numbers = precision_and_hits(scores, same, nearest)
    names = [f"{what}@{k}" for what in ("precision", "hit") for k in nearest]
    return Predictions.measured(patients, numbers, tuple(names))


def precision_and_hits(
    scores: np.ndarray, same: np.ndarray, nearest: tuple[int, ...]
) -> np.ndarray:
    """Precision, then hits, at every K: float [n, 2 len(nearest)].

    Args:
      scores: [n, m].
      same: bool [n, m], whether the two have one class.
      nearest: the K; one beyond m takes all.
    """
    order = np.lexsort((same, -scores), axis=1)
    ranked = np.take_along_axis(same, order, axis=1)
    precision = [ranked[:, :k].mean(1) for k in nearest]
    hits = [ranked[:, :k].any(1) for k in nearest]
    return np.stack([*precision, *hits], axis=1).astype(np.float64)
