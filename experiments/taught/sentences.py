# SPDX-License-Identifier: Apache-2.0
"""A reader of the course that sentences tell, smaller than any text encoder: words and pairs of words.

What a sentence means it learns from what became of the finding that it names: by the truth, by what a
net reads in both images, or by the rules of `comparisons`.
"""

from collections.abc import Sequence

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from experiments.taught.comparisons import compared
from experiments.taught.facts import NAMES
from experiments.taught.material import Material
from medst_jax.evaluate.subjects.embedder import Embeddings
from medst_jax.evaluate.subjects.features_only import FeaturesOnly
from medst_jax.text.labeler import label_sentence

CODES = (-1, 0, 1)
_RANDOM_WIDTH = 64


class SentenceReader(FeaturesOnly):
    """Sentences by the course that they tell; taught by the first, or drawn, see the functions."""

    what = "a reader of sentences"
    has_text = True

    def __init__(self, vectors) -> None:  # type: ignore[no-untyped-def]
        """vectors: texts to [N, E]."""
        super().__init__(64)
        self._vectors = vectors

    def texts(self, texts: Sequence[str]) -> Embeddings:
        """Unit-norm vectors of the sentences."""
        vectors = np.asarray(self._vectors(texts), np.float32)
        unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
        return Embeddings(unit, unit)


def by_rules() -> SentenceReader:
    """Reads what the rules say; a sentence without a comparison is like no other."""

    def vectors(texts: Sequence[str]) -> np.ndarray:
        clauses = [compared(text) for text in texts]
        return np.array([[c is not None and c.code == code for code in CODES] for c in clauses])

    return SentenceReader(vectors)


def by_change(material: Material, change: np.ndarray) -> SentenceReader:
    """Learns from `change` [n, F] of the findings that the sentences of follow-ups name, -1 to 1, NaN unknown."""
    texts, codes = [], []
    for sentences, row in zip(material.sentences, change, strict=True):
        for sentence in sentences:
            columns = [NAMES.index(name) for name in label_sentence(sentence) if name in NAMES]
            if len(columns) == 1 and not np.isnan(row[columns[0]]):
                texts.append(sentence)
                codes.append(int(row[columns[0]]))
    words = CountVectorizer(binary=True, ngram_range=(1, 2), min_df=5)
    head = LogisticRegression(class_weight="balanced", max_iter=300)
    model = make_pipeline(words, head).fit(texts, codes)

    def vectors(texts: Sequence[str]) -> np.ndarray:
        log_p = model.predict_log_proba(list(texts))
        return log_p - log_p.mean(1, keepdims=True)

    return SentenceReader(vectors)


def untaught(seed: int) -> SentenceReader:
    """The mean of random vectors of the words."""
    words = CountVectorizer(binary=True)

    def vectors(texts: Sequence[str]) -> np.ndarray:
        table = words.fit_transform(list(texts))
        drawn = np.random.default_rng(seed).normal(size=(table.shape[1], _RANDOM_WIDTH))
        return table @ drawn

    return SentenceReader(vectors)
