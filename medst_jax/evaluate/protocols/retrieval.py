# SPDX-License-Identifier: Apache-2.0
"""Image-to-text and text-to-image retrieval among the studies of a split.

A text identical to the query's own counts as a hit: boilerplate reports repeat, and no encoder
can tell them apart. The rank is that of the best hit; texts that are no hit and score the same
rank before it, so that a constant embedding gains nothing.
"""

import dataclasses
import random
from collections.abc import Iterator
from typing import Literal

import numpy as np

from medst_jax.data.records.studies import Studies
from medst_jax.evaluate.protocols.parts.report_texts import report_sentences, text_numbers
from medst_jax.evaluate.statistics.outcome import NotApplicable, Outcome, Part, RetrievedTexts
from medst_jax.evaluate.statistics.predictions import Predictions
from medst_jax.evaluate.subjects.context import EvaluationContext, ImageEmbedder

# Images whose scores are held at a time: 1,024 x 30,000 of them in float32 are 123 MB.
BLOCK = 1024
_SHOWN_QUERIES, _SHOWN_TEXTS = 6, 3


@dataclasses.dataclass(frozen=True)
class RetrievalOptions:
    """Options of `retrieval`.

    Attributes:
      dataset, split: studies with a frontal image and a report.
      text: "report" embeds findings and impression as one text, cut at the checkpoint's length;
        "sentences" averages the unit-norm vectors of the report's sentences.
      limit: size of the gallery, drawn by `random.Random(0)`.
    """

    dataset: str
    split: str = "test"
    text: Literal["report", "sentences"] = "report"
    limit: int = 1000


def retrieval(options: RetrievalOptions, context: EvaluationContext) -> Outcome:
    """Ranks of the first hit in both directions.

    Raises:
      ValueError: no study has both an image and a report.
      NotApplicable: the system has no text encoder.
    """
    if not context.embedder.has_text:
        raise NotApplicable("this system has no text encoder; there is nothing to retrieve")
    studies = context.data.studies(options.dataset, options.split)
    rows, texts = _pairs(options, studies)
    images = context.embed(options.dataset, options.split, rows).global_
    vectors = _text_vectors(options, context.embedder, texts)
    joined = [" ".join(sentences) for sentences in texts]
    numbers = text_numbers(joined)
    patients = np.asarray(studies.index.patient)[rows]
    ranks = first_hit_ranks(images, vectors, numbers)
    parts = tuple(
        Part(name, _ranks(patients, rank), rows)
        for name, rank in zip(("image to text", "text to image"), ranks, strict=True)
    )
    shown = _shown(rows, images, vectors, numbers, joined)
    return Outcome(options.dataset, options.split, parts, retrieved=shown)


def first_hit_ranks(
    images: np.ndarray, texts: np.ndarray, numbers: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rank int [n], from 1, of the best-scored hit of each image and of each text.

    Ties with misses count against a hit. Scores are held in blocks of BLOCK images, both directions
    from the same ones, so memory grows as n and not as its square; each is computed twice, for
    what a text's best hit scores is known after the last block only.

    Args:
      images, texts: [n, E].
      numbers: int [n], equal where texts are: those are hits of each other's images.
    """
    ranks = np.ones((2, len(images)), np.int64)
    best = np.full(len(texts), -np.inf, np.result_type(images, texts))
    for rows in _blocks(len(images)):
        scores, hits = _compared(images, texts, numbers, rows)
        of_hits = np.where(hits, scores, -np.inf)
        np.maximum(best, of_hits.max(0), out=best)
        ranks[0, rows] += ((scores >= of_hits.max(1)[:, None]) & ~hits).sum(1)
    for rows in _blocks(len(images)):
        scores, hits = _compared(images, texts, numbers, rows)
        ranks[1] += ((scores >= best) & ~hits).sum(0)
    return ranks[0], ranks[1]


def _blocks(count: int) -> Iterator[slice]:
    return (slice(start, min(start + BLOCK, count)) for start in range(0, count, BLOCK))


def _compared(
    images: np.ndarray, texts: np.ndarray, numbers: np.ndarray, rows: slice
) -> tuple[np.ndarray, np.ndarray]:
    """Scores of some images with all texts, and which of them are hits, both [block, n]."""
    return images[rows] @ texts.T, numbers[rows, None] == numbers[None]


def _ranks(patients: np.ndarray, ranks: np.ndarray) -> Predictions:
    return Predictions(
        "ranks",
        patients,
        np.zeros(len(ranks), np.int8),
        ranks.astype(np.float32)[None, :, None],
        (),
    )


def _pairs(options: RetrievalOptions, studies: Studies) -> tuple[np.ndarray, list[list[str]]]:
    rows, texts = [], []
    order = [int(r) for r in np.flatnonzero(studies.index.has_frontal)]
    random.Random(0).shuffle(order)
    for row in order:
        sentences = report_sentences(studies, row)
        if sentences:
            rows.append(row)
            texts.append(sentences)
        if len(rows) == options.limit:
            break
    if not rows:
        raise ValueError(
            f"{studies.name}/{studies.split} has no study with a frontal image and a report; "
            "retrieval needs a data set with reports"
        )
    return np.asarray(rows), texts


def _text_vectors(
    options: RetrievalOptions, embedder: ImageEmbedder, texts: list[list[str]]
) -> np.ndarray:
    if options.text == "report":
        return embedder.texts([" ".join(sentences) for sentences in texts]).global_
    vectors = embedder.texts([s for sentences in texts for s in sentences]).global_
    ends = np.cumsum([len(sentences) for sentences in texts])
    means = np.stack([block.mean(0) for block in np.split(vectors, ends[:-1])])
    return means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)


def _shown(
    rows: np.ndarray,
    images: np.ndarray,
    vectors: np.ndarray,
    numbers: np.ndarray,
    texts: list[str],
) -> RetrievedTexts:
    # Of the first block, so that what is shown is in the order that was ranked.
    scores, same = _compared(images, vectors, numbers, slice(0, BLOCK))
    queries = range(min(_SHOWN_QUERIES, len(rows)))
    nearest = [np.argsort(-scores[q], kind="stable")[:_SHOWN_TEXTS] for q in queries]
    return RetrievedTexts(
        rows=rows[: len(queries)],
        texts=tuple(
            (texts[q], *(texts[k] for k in near)) for q, near in zip(queries, nearest, strict=True)
        ),
        hits=tuple(
            tuple(bool(same[q, k]) for k in near) for q, near in zip(queries, nearest, strict=True)
        ),
        equal=np.bincount(numbers)[numbers],
    )
