# SPDX-License-Identifier: Apache-2.0
"""Rows of the batch, made of stored studies and their positions in the stream.

Python's time for each example is that of one read and one decode. All else is done for a batch at
once, or was cached in an earlier epoch.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from medst_jax.data.loader.image_reader import ImageReader
from medst_jax.data.loader.lazy_study import LazyStudy
from medst_jax.data.loader.sampled_rows import Rows, SampledRows
from medst_jax.data.loader.text_reader import TextReader
from medst_jax.data.loader.tokenized_texts import TokenizedTexts, concatenate_texts, pad_texts
from medst_jax.data.mixture.mixture import Corpus
from medst_jax.data.mixture.no_finding import without_marks
from medst_jax.data.randomness import uniforms
from medst_jax.data.tokenize.text_tokenizer import TextTokenizer

# Image keys of the batch, and the key that says which rows have the image.
VIEWS = {"frontal": "has_frontal", "lateral": "has_lateral", "prior_frontal": "has_prior"}
Allocate = Callable[[tuple[int, ...]], np.ndarray]  # uint8 of a shape, not yet filled


@dataclass(frozen=True)
class BatchMaker:
    """Turns sampled rows into arrays of a batch; every random choice is keyed by the position.

    keys: those of the batch; of what comes on request the others are left out.
    size: S, side of the images.
    length: L, tokens of a text.
    images: of each view that the batch holds.
    texts: "" of the sample; "findings" and "impression" of these sections, if the batch holds
      them.
    """

    corpora: tuple[Corpus, ...]
    keys: tuple[str, ...]
    tokenizer: TextTokenizer | None
    size: int
    length: int
    seed: int
    images: dict[str, ImageReader]
    texts: dict[str, TextReader]

    def __call__(self, sampled: SampledRows, allocate: Allocate) -> Rows:
        """The arrays of sampled rows.

        Args:
          sampled: which studies they show.
          allocate: makes the arrays of images.
        """
        rows = self._index_columns(sampled)
        shape = len(sampled.rows), self.size, self.size, 1
        rows |= self._read(sampled, {view: allocate(shape) for view in self.images})
        if "word_index" in self.keys:
            tokens = rows["tokens"]
            rows["word_index"] = (
                np.full_like(tokens, -1)
                if self.tokenizer is None
                else self.tokenizer.word_index(tokens)
            )
        return {key: rows[key] for key in self.keys if key in rows}

    def _index_columns(self, sampled: SampledRows) -> Rows:
        """What the timeline indexes know, without opening a record."""
        count, classes = len(sampled.rows), len(self.corpora[0].columns)
        rows = {
            "labels": np.zeros((count, classes), np.float32),
            "label_mask": np.zeros((count, classes), bool),
            "example": sampled.positions.astype(np.int32),
            "patient": np.zeros(count, np.int32),
            "study": np.zeros(count, np.int32),
            "source": sampled.corpora.astype(np.int8),
            "severity": np.zeros(count, np.int8),
        }
        for corpus, here in self._by_corpus(sampled):
            index, in_corpus = corpus.studies.index, sampled.rows[here]
            # In a control the labels are another study's; severity is a label too.
            studies, labelled = corpus.rows[in_corpus], corpus.label_rows[in_corpus]
            labels, mask = corpus.policy.apply(corpus.codes(labelled))
            rows["labels"][here], rows["label_mask"][here] = labels, mask
            rows["patient"][here] = corpus.first_patient + index.patient[studies]
            rows["study"][here] = corpus.first_study + studies
            rows["severity"][here] = index.severity[labelled]
        return rows

    def _read(self, sampled: SampledRows, images: dict[str, np.ndarray]) -> Rows:
        """Images and texts: what is cached of the studies at once, the rest row by row."""
        image_rows, text_rows, prior_rows = self._study_rows(sampled)
        views = [
            self._plan_view(
                sampled, view, prior_rows if view == "prior_frontal" else image_rows, out
            )
            for view, out in images.items()
        ]
        uncached = self._uncached(sampled, text_rows).tolist()
        drawn: dict[str, dict[int, TokenizedTexts]] = {name: {} for name in self.texts}
        corpora = [self.corpora[number] for number in sampled.corpora.tolist()]
        for r, (corpus, row) in enumerate(zip(corpora, image_rows.tolist(), strict=True)):
            # A record lives for its row alone: memory that was just freed is near.
            study = LazyStudy(corpus, row)
            for view, rows, spans, variates, out, present in views:
                shown = study if rows[r] == row else LazyStudy(corpus, rows[r])
                try:
                    present.append(self.images[view].read(shown, spans[r], variates[r], out[r]))
                except ValueError as error:
                    raise ValueError(
                        f"data set {corpus.name!r}, split {corpus.options.split!r}, {view} image "
                        f"at stream position {sampled.positions[r]}: {error}; build the data set "
                        "again"
                    ) from error
            if uncached[r]:
                if text_rows[r] != row:
                    study = LazyStudy(corpus, int(text_rows[r]))
                for name, reader in self.texts.items():
                    text = reader.cache_or_draw(study, int(sampled.positions[r]))
                    if text is not None:
                        drawn[name][r] = text
        columns: Rows = {}
        for plan in views:
            columns[plan.view] = plan.out
            columns[VIEWS[plan.view]] = np.array(plan.present, bool)
        for name in self.texts:
            columns |= self._texts(sampled, name, text_rows, drawn[name])
        return columns

    def _study_rows(self, sampled: SampledRows) -> np.ndarray:
        """Whose image, whose text and whose prior each row shows, int64 [3, B]; -1 no prior."""
        studies = np.empty((3, len(sampled.rows)), np.int64)
        for corpus, here in self._by_corpus(sampled):
            rows = sampled.rows[here]
            studies[:, here] = corpus.rows[rows], corpus.text_rows[rows], corpus.prior_rows[rows]
        return studies

    def _plan_view(
        self, sampled: SampledRows, view: str, rows: np.ndarray, out: np.ndarray
    ) -> "_ViewPlan":
        variates = uniforms(self.seed, view, sampled.positions)
        spans = np.empty((3, len(rows)), int)
        for corpus, here in self._by_corpus(sampled):
            spans[:, here] = self.images[view].spans(corpus.number, rows[here], variates[here])
        # As lists: the loop over rows takes single values, which are slow to take from arrays.
        spans_of_rows = list(zip(*spans.tolist(), strict=True))
        return _ViewPlan(view, rows.tolist(), spans_of_rows, variates.tolist(), out, [])

    def _uncached(self, sampled: SampledRows, text_rows: np.ndarray) -> np.ndarray:
        """Of which rows a text is not cached, bool [B]."""
        uncached = np.zeros(len(text_rows), bool)
        for corpus, here in self._by_corpus(sampled):
            for reader in self.texts.values():
                uncached[here] |= ~reader.cached(corpus.number, text_rows[here])
        return uncached

    def _texts(
        self,
        sampled: SampledRows,
        name: str,
        text_rows: np.ndarray,
        drawn: dict[int, TokenizedTexts],
    ) -> Rows:
        """Texts of one reader: from its cache, and `drawn` for rows whose study is not cached."""
        columns: Rows = {}
        for corpus, here in self._by_corpus(sampled):
            reader = self.texts[name]
            # Asked again: reading the rows filled the cache, for all but the uncacheable studies.
            cached = reader.cached(corpus.number, text_rows[here])
            hits, misses = here[cached], here[~cached]
            texts = reader.draw(corpus.number, text_rows[hits], sampled.positions[hits])
            texts = concatenate_texts([texts, *(drawn[r] for r in misses.tolist())])
            for key, value in self._text_columns(name, corpus, texts).items():
                if key not in columns:
                    columns[key] = np.empty((len(text_rows), *value.shape[1:]), value.dtype)
                columns[key][np.concatenate([hits, misses])] = value
        return columns

    def _text_columns(self, name: str, corpus: Corpus, texts: TokenizedTexts) -> Rows:
        """Texts as arrays of the batch."""
        tokens, mask, sentence_index = pad_texts(texts, self.tokenizer, self.length)
        if name:
            return {f"{name}_tokens": tokens, f"{name}_mask": mask}
        labels, known = corpus.policy.apply(without_marks(texts.codes))
        return {
            "tokens": tokens,
            "token_mask": mask,
            "sentence_index": sentence_index,
            "text_source": texts.sources,
            "text_labels": labels,
            "text_label_mask": known,
            "text": texts.hashes,
        }

    def _by_corpus(self, sampled: SampledRows) -> list[tuple[Corpus, np.ndarray]]:
        """The data sets of the sampled rows, and which rows are of each."""
        present = np.unique(sampled.corpora).tolist()
        return [(self.corpora[n], np.flatnonzero(sampled.corpora == n)) for n in present]


class _ViewPlan(NamedTuple):
    """The images of one view: study, span and variate of each of B rows, and where they go.

    present: whether there is an image, of the rows that were read so far.
    """

    view: str
    rows: list[int]
    spans: list[tuple[int, int, int]]
    variates: list[float]
    out: np.ndarray
    present: list[bool]
