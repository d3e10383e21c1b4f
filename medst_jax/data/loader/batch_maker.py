# SPDX-License-Identifier: Apache-2.0
"""Rows of the batch, made of stored studies and their positions in the stream.

Python's time for each example is that of one read and one decode; all else is done for a batch at
once, or was done in an earlier epoch.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from medst_jax.data.loader.image_reader import ImageReader
from medst_jax.data.loader.record_reader import OpenStudy
from medst_jax.data.loader.text_reader import TextReader
from medst_jax.data.loader.tokenized_texts import Tokenized, joined, padded
from medst_jax.data.mixture.mixture import Corpus
from medst_jax.data.randomness import uniforms
from medst_jax.data.tokenize.text_tokenizer import TextTokenizer

Rows = dict[str, np.ndarray]  # arrays [B, ...]
VIEWS = {"frontal": "has_frontal", "lateral": "has_lateral", "prior_frontal": "has_prior"}
Allocate = Callable[[tuple[int, ...]], np.ndarray]  # uint8 of a shape, not yet filled


@dataclass(frozen=True)
class Drawing:
    """Which studies are where: arrays int64 [B].

    positions: in the global stream. numbers: of the data sets in the mixture. draws: places in the
    `rows` of each data set.
    """

    positions: np.ndarray
    numbers: np.ndarray
    draws: np.ndarray


@dataclass(frozen=True)
class BatchMaker:
    """Turns a drawing into rows of a batch; every draw is keyed by the position.

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

    def __call__(self, drawing: Drawing, allocate: Allocate) -> Rows:
        """The rows of a drawing.

        Args:
          drawing: what they show.
          allocate: makes the arrays of images.
        """
        rows = self._columns(drawing)
        shape = len(drawing.draws), self.size, self.size, 1
        rows |= self._read(drawing, {view: allocate(shape) for view in self.images})
        if "word_index" in self.keys:
            tokens = rows["tokens"]
            rows["word_index"] = (
                np.full_like(tokens, -1)
                if self.tokenizer is None
                else self.tokenizer.word_index(tokens)
            )
        return {key: rows[key] for key in self.keys if key in rows}

    def _columns(self, drawing: Drawing) -> Rows:
        """What the indexes say, without opening a record."""
        count, classes = len(drawing.draws), len(self.corpora[0].columns)
        rows = {
            "labels": np.zeros((count, classes), np.float32),
            "label_mask": np.zeros((count, classes), bool),
            "example": drawing.positions.astype(np.int32),
            "patient": np.zeros(count, np.int32),
            "study": np.zeros(count, np.int32),
            "source": drawing.numbers.astype(np.int8),
            "severity": np.zeros(count, np.int8),
        }
        for corpus, here in self._parts(drawing):
            index, drawn = corpus.studies.index, drawing.draws[here]
            studies, labelled = corpus.rows[drawn], corpus.label_rows[drawn]
            labels, mask = corpus.policy.apply(corpus.codes(labelled))
            rows["labels"][here], rows["label_mask"][here] = labels, mask
            rows["patient"][here] = corpus.first_patient + index.patient[studies]
            rows["study"][here] = corpus.first_study + studies
            rows["severity"][here] = index.severity[labelled]
        return rows

    def _read(self, drawing: Drawing, images: dict[str, np.ndarray]) -> Rows:
        """Images and texts: what is remembered of the studies at once, the rest row by row."""
        own, said, prior = self._studies(drawing)
        turns = [
            self._turn(drawing, view, prior if view == "prior_frontal" else own, out)
            for view, out in images.items()
        ]
        asks = self._unmet(drawing, said).tolist()
        anew: dict[str, dict[int, Tokenized]] = {name: {} for name in self.texts}
        corpora = [self.corpora[number] for number in drawing.numbers.tolist()]
        for r, (corpus, row) in enumerate(zip(corpora, own.tolist(), strict=True)):
            # A record lives for its row alone: memory that was just freed is near.
            study = OpenStudy(corpus, row)
            for view, rows, spans, chances, out, found in turns:
                shown = study if rows[r] == row else OpenStudy(corpus, rows[r])
                try:
                    found.append(self.images[view].read(shown, spans[r], chances[r], out[r]))
                except ValueError as error:
                    raise ValueError(
                        f"data set {corpus.name!r}, split {corpus.options.split!r}, {view} image "
                        f"at stream position {drawing.positions[r]}: {error}; build the data set "
                        "again"
                    ) from error
            if asks[r]:
                if said[r] != row:
                    study = OpenStudy(corpus, int(said[r]))
                for name, reader in self.texts.items():
                    text = reader.meet(study, int(drawing.positions[r]))
                    if text is not None:
                        anew[name][r] = text
        made: Rows = {}
        for turn in turns:
            made[turn.view], made[VIEWS[turn.view]] = turn.out, np.array(turn.found, bool)
        for name in self.texts:
            made |= self._texts(drawing, name, said, anew[name])
        return made

    def _studies(self, drawing: Drawing) -> np.ndarray:
        """Whose image, whose text and whose prior each row holds, int64 [3, B]; -1 no prior."""
        studies = np.empty((3, len(drawing.draws)), np.int64)
        for corpus, here in self._parts(drawing):
            drawn = drawing.draws[here]
            studies[:, here] = corpus.rows[drawn], corpus.text_rows[drawn], corpus.prior_rows[drawn]
        return studies

    def _turn(self, drawing: Drawing, view: str, rows: np.ndarray, out: np.ndarray) -> "_Turn":
        chances, spans = uniforms(self.seed, view, drawing.positions), np.empty((3, len(rows)), int)
        for corpus, here in self._parts(drawing):
            spans[:, here] = self.images[view].spans(corpus.number, rows[here], chances[here])
        return _Turn(
            view, rows.tolist(), list(zip(*spans.tolist(), strict=True)), chances.tolist(), out, []
        )

    def _unmet(self, drawing: Drawing, said: np.ndarray) -> np.ndarray:
        """Of which rows a text is not remembered, bool [B]."""
        unmet = np.zeros(len(said), bool)
        for corpus, here in self._parts(drawing):
            for reader in self.texts.values():
                unmet[here] |= ~reader.met(corpus.number, said[here])
        return unmet

    def _texts(
        self, drawing: Drawing, name: str, said: np.ndarray, anew: dict[int, Tokenized]
    ) -> Rows:
        """The texts that a reader remembers, and those that were drawn anew."""
        rows: Rows = {}
        for corpus, here in self._parts(drawing):
            known = self.texts[name].met(corpus.number, said[here])
            kept, drawn = here[known], here[~known]
            texts = self.texts[name].draw(corpus.number, said[kept], drawing.positions[kept])
            texts = joined([texts, *(anew[r] for r in drawn.tolist())])
            for key, value in self._laid(name, corpus, texts).items():
                if key not in rows:
                    rows[key] = np.empty((len(said), *value.shape[1:]), value.dtype)
                rows[key][np.concatenate([kept, drawn])] = value
        return rows

    def _laid(self, name: str, corpus: Corpus, texts: Tokenized) -> Rows:
        """Texts as rows of the batch."""
        tokens, mask, sentence_index = padded(texts, self.tokenizer, self.length)
        if name:
            return {f"{name}_tokens": tokens, f"{name}_mask": mask}
        labels, known = corpus.policy.apply(texts.codes)
        return {
            "tokens": tokens,
            "token_mask": mask,
            "sentence_index": sentence_index,
            "text_source": texts.sources,
            "text_labels": labels,
            "text_label_mask": known,
            "text": texts.numbers,
        }

    def _parts(self, drawing: Drawing) -> list[tuple[Corpus, np.ndarray]]:
        """The data sets of a drawing, and the rows of each."""
        present = np.unique(drawing.numbers).tolist()
        return [(self.corpora[n], np.flatnonzero(drawing.numbers == n)) for n in present]


class _Turn(NamedTuple):
    """The images of one view: studies, spans and draws of B rows, and what was read so far."""

    view: str
    rows: list[int]
    spans: list[tuple[int, int, int]]
    chances: list[float]
    out: np.ndarray
    found: list[bool]
