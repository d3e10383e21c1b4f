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
from medst_jax.data.loader.unpaired_texts import UnpairedTexts
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
    texts: "" of the sample; "findings" and "impression" of these sections and "second" of a second
      draw, if the batch holds them.
    unpaired: of data sets, by number, whose texts are another's.
    """

    corpora: tuple[Corpus, ...]
    keys: tuple[str, ...]
    tokenizer: TextTokenizer | None
    size: int
    length: int
    seed: int
    images: dict[str, ImageReader]
    texts: dict[str, TextReader]
    unpaired: dict[int, UnpairedTexts]

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
        for corpus, here in self._by_corpus(sampled.corpora):
            index, in_corpus = corpus.studies.index, sampled.rows[here]
            # In a control the labels are another study's; severity is a label too.
            studies, labelled = corpus.rows[in_corpus], corpus.label_rows[in_corpus]
            labels, mask = corpus.policy.apply(corpus.codes(labelled))
            rows["labels"][here], rows["label_mask"][here] = labels, mask
            rows["patient"][here] = corpus.first_patient + index.patient[studies]
            rows["study"][here] = corpus.first_study + studies
            rows["severity"][here] = index.severity[labelled]
        if "entities" in self.keys:
            rows |= self._entities(sampled)
        return rows

    def _entities(self, sampled: SampledRows) -> Rows:
        """What the reports say of entities, and where; in a control those of other studies."""
        variates = uniforms(self.seed, "place", sampled.positions)
        columns: Rows = {}
        for corpus, here in self._by_corpus(sampled.corpora):
            assert corpus.entities is not None
            studies = corpus.text_rows[sampled.rows[here]]
            for key, value in corpus.entities.rows(studies, variates[here]).items():
                if key not in columns:
                    columns[key] = np.empty((len(variates), *value.shape[1:]), value.dtype)
                columns[key][here] = value
        return columns

    def _read(self, sampled: SampledRows, images: dict[str, np.ndarray]) -> Rows:
        """Images and texts: what is cached of the studies at once, the rest row by row."""
        image_rows, prior_rows = self._study_rows(sampled)
        texts = self._text_rows(sampled)
        views = [
            self._plan_view(
                sampled, view, prior_rows if view == "prior_frontal" else image_rows, out
            )
            for view, out in images.items()
        ]
        uncached = self._uncached(texts).tolist()
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
                if texts.rows[r] != row or texts.corpora[r] != corpus.number:
                    study = LazyStudy(self.corpora[texts.corpora[r]], int(texts.rows[r]))
                for name, reader in self.texts.items():
                    text = reader.cache_or_draw(study, int(sampled.positions[r]))
                    if text is not None:
                        drawn[name][r] = text
        columns: Rows = {}
        for plan in views:
            columns[plan.view] = plan.out
            columns[VIEWS[plan.view]] = np.array(plan.present, bool)
        for name in self.texts:
            columns |= self._texts(sampled.positions, name, texts, drawn[name])
        return columns

    def _study_rows(self, sampled: SampledRows) -> np.ndarray:
        """Whose image and whose prior each row shows, int64 [2, B]; -1 no prior."""
        studies = np.empty((2, len(sampled.rows)), np.int64)
        for corpus, here in self._by_corpus(sampled.corpora):
            rows = sampled.rows[here]
            studies[:, here] = corpus.rows[rows], corpus.prior_rows[rows]
        return studies

    def _text_rows(self, sampled: SampledRows) -> "_TextRows":
        """Whose text each row shows."""
        corpora, rows = sampled.corpora.copy(), np.empty(len(sampled.rows), np.int64)
        classes = np.full(len(rows), -1) if self.unpaired else None
        for corpus, here in self._by_corpus(sampled.corpora):
            unpaired = self.unpaired.get(corpus.number)
            if unpaired is None or classes is None:
                rows[here] = corpus.text_rows[sampled.rows[here]]
                continue
            corpora[here] = unpaired.source
            rows[here], classes[here] = unpaired(sampled.rows[here], sampled.positions[here])
        return _TextRows(corpora, rows, classes)

    def _plan_view(
        self, sampled: SampledRows, view: str, rows: np.ndarray, out: np.ndarray
    ) -> "_ViewPlan":
        variates = uniforms(self.seed, view, sampled.positions)
        spans = np.empty((3, len(rows)), int)
        for corpus, here in self._by_corpus(sampled.corpora):
            spans[:, here] = self.images[view].spans(corpus.number, rows[here], variates[here])
        # As lists: the loop over rows takes single values, which are slow to take from arrays.
        spans_of_rows = list(zip(*spans.tolist(), strict=True))
        return _ViewPlan(view, rows.tolist(), spans_of_rows, variates.tolist(), out, [])

    def _uncached(self, texts: "_TextRows") -> np.ndarray:
        """Of which rows a text is not cached, bool [B]."""
        uncached = np.zeros(len(texts.rows), bool)
        for corpus, here in self._by_corpus(texts.corpora):
            for reader in self.texts.values():
                uncached[here] |= ~reader.cached(corpus.number, texts.rows[here])
        return uncached

    def _texts(
        self,
        positions: np.ndarray,
        name: str,
        whose: "_TextRows",
        drawn: dict[int, TokenizedTexts],
    ) -> Rows:
        """Texts of one reader: from its cache, and `drawn` for rows whose study is not cached."""
        columns: Rows = {}
        for corpus, here in self._by_corpus(whose.corpora):
            reader = self.texts[name]
            # Asked again: reading the rows filled the cache, for all but the uncacheable studies.
            cached = reader.cached(corpus.number, whose.rows[here])
            hits, misses = here[cached], here[~cached]
            classes = None if whose.classes is None else whose.classes[hits]
            texts = reader.draw(corpus.number, whose.rows[hits], positions[hits], classes)
            texts = concatenate_texts([texts, *(drawn[r] for r in misses.tolist())])
            for key, value in self._text_columns(name, corpus, texts).items():
                if key not in columns:
                    columns[key] = np.empty((len(whose.rows), *value.shape[1:]), value.dtype)
                columns[key][np.concatenate([hits, misses])] = value
        return columns

    def _text_columns(self, name: str, corpus: Corpus, texts: TokenizedTexts) -> Rows:
        """Texts as arrays of the batch."""
        tokens, mask, sentence_index = pad_texts(texts, self.tokenizer, self.length)
        read = {f"{name}_tokens": tokens, f"{name}_mask": mask, f"{name}_text": texts.hashes}
        if name not in ("", "second"):
            return read
        labels, known = corpus.policy.apply(without_marks(texts.codes))
        if name:
            return {**read, f"{name}_labels": labels, f"{name}_label_mask": known}
        return {
            "tokens": tokens,
            "token_mask": mask,
            "sentence_index": sentence_index,
            "text_source": texts.sources,
            "text_labels": labels,
            "text_label_mask": known,
            "text": texts.hashes,
        }

    def _by_corpus(self, numbers: np.ndarray) -> list[tuple[Corpus, np.ndarray]]:
        """The data sets of rows [B], and which rows are of each."""
        present = np.unique(numbers).tolist()
        return [(self.corpora[n], np.flatnonzero(numbers == n)) for n in present]


class _TextRows(NamedTuple):
    """Whose text stands in each of B rows: data set, study, and the class that it should affirm, if any.

    corpora, rows: int64 [B]. classes: int64 [B], -1 for no class; None where no row has one.
    """

    corpora: np.ndarray
    rows: np.ndarray
    classes: np.ndarray | None


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
