# SPDX-License-Identifier: Apache-2.0
"""One example of the batch, made from a stored study and its position in the stream."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from medst_jax.data.batch import TEXT_NONE
from medst_jax.data.mixture import Corpus
from medst_jax.data.pixels import Fit, decode, fit_square
from medst_jax.data.randomness import reused_generator
from medst_jax.data.schema import FRONTAL_VIEWS, LATERAL_VIEWS
from medst_jax.data.study import Study
from medst_jax.data.text_sampling import (
    Text,
    draw_bank_sentences,
    draw_prompt,
    draw_report,
    in_order,
    no_text,
    section_sentences,
    text_of,
)
from medst_jax.data.text_tokenizer import PAD, TextTokenizer
from medst_jax.text.prompts import prompt_bank

Example = dict[str, Any]  # numpy arrays and scalars
NO_TEXT = -1


@dataclass(frozen=True)
class SampleMaker:
    """Turns (position, (data set, draw)) into an example; every draw is keyed by the position.

    severity: whether an example holds its study's edema severity.
    views: of "frontal", "lateral" and "prior_frontal", those to decode.
    sections: whether an example holds the texts of FINDINGS and of IMPRESSION.
    words: whether it says which word a token is part of.
    """

    corpora: tuple[Corpus, ...]
    union: tuple[str, ...]
    tokenizer: TextTokenizer | None
    views: tuple[str, ...]
    severity: bool
    sections: bool
    words: bool
    size: int
    length: int
    fit: Fit
    seed: int

    def __call__(self, position: int, drawn: tuple[int, int]) -> Example:
        """The example at a position of the global stream.

        Args:
          position: in the global stream.
          drawn: number of the data set in the mixture, and which of its `rows`.
        """
        corpus, k = self.corpora[drawn[0]], drawn[1]
        row, text_row, label_row = corpus.rows[k], corpus.text_rows[k], corpus.label_rows[k]
        study = corpus.studies[row]
        text_study = study if text_row == row else corpus.studies[text_row]
        example: Example = {}
        for view in self.views:
            shown: Study | None = study
            if view == "prior_frontal":
                prior = corpus.prior_rows[k]
                shown = corpus.studies[prior] if prior >= 0 else None
            example.update(self._image(corpus, shown, view, position))
        example.update(self._text(corpus, text_study, int(text_row), position))
        if self.words:
            example["word_index"] = self._words(example["tokens"])
        if self.sections:
            example.update(self._sections(corpus, text_study, position))
        labels, label_mask = corpus.policy.apply(corpus.codes(label_row))
        example["labels"] = labels
        example["label_mask"] = label_mask
        example["example"] = np.int32(position)
        patient = corpus.first_patient + int(corpus.studies.index.patient[row])
        example["patient"] = np.int32(patient)
        example["study"] = np.int32(corpus.first_study + row)
        example["source"] = np.int8(corpus.number)
        if self.severity:
            example["severity"] = corpus.studies.index.severity[label_row]
        return example

    def _image(self, corpus: Corpus, study: Study | None, view: str, position: int) -> Example:
        kinds = LATERAL_VIEWS if view == "lateral" else FRONTAL_VIEWS
        flag = "has_prior" if view == "prior_frontal" else f"has_{view}"
        found = [k for k, v in enumerate(study.views) if v in kinds] if study else []
        if study is None or not found:
            square = np.zeros((self.size, self.size, 1), np.uint8)
            return {view: square, flag: np.bool_(False)}
        chosen = 0
        if len(found) > 1:
            chosen = int(reused_generator(self.seed, view, position).integers(len(found)))
        try:
            pixels = decode(study.image_data(found[chosen]))
        except ValueError as error:
            raise ValueError(
                f"data set {corpus.name!r}, split {corpus.options.split!r}, {view} image at stream "
                f"position {position}: {error}; build the data set again"
            ) from error
        return {view: fit_square(pixels, self.size, self.fit), flag: np.bool_(True)}

    def _mask(self, tokens: np.ndarray) -> np.ndarray:
        return tokens != PAD if self.tokenizer is None else self.tokenizer.mask(tokens)

    def _words(self, tokens: np.ndarray) -> np.ndarray:
        if self.tokenizer is None:
            return np.full_like(tokens, -1)
        return self.tokenizer.word_index(tokens)

    def _sections(self, corpus: Corpus, study: Study, position: int) -> Example:
        order = corpus.options.sentences
        example: Example = {}
        for name in ("findings", "impression"):
            chosen = [] if self.tokenizer is None else section_sentences(study, name)
            tokens = np.full(self.length, PAD, np.int32)
            if chosen and self.tokenizer is not None and corpus.options.text == "report":
                draws = reused_generator(self.seed, name, position)
                whole = in_order(study, chosen, "all" if order == "one" else order, draws)
                tokens, _ = self.tokenizer.encode_sentences(text_of(study, whole), self.length)
            example[f"{name}_tokens"] = tokens
            example[f"{name}_mask"] = self._mask(tokens)
        return example

    def _text(self, corpus: Corpus, study: Study, row: int, position: int) -> Example:
        text = self._draw(corpus, study, row, position)
        if self.tokenizer is None or text.source == TEXT_NONE:
            tokens = np.full(self.length, PAD, np.int32)
            sentence_index, kept = np.full(self.length, -1, np.int32), 1
            text_number = NO_TEXT
        else:
            tokens, sentence_index = self.tokenizer.encode_sentences(text.sentences, self.length)
            kept = int(sentence_index.max()) + 1
            text_number = text_id(tokens)
        labels, mask = corpus.policy.apply(text.kept_codes(kept))
        return {
            "tokens": tokens,
            "token_mask": self._mask(tokens),
            "sentence_index": sentence_index,
            "text_source": np.int8(text.source),
            "text_labels": labels,
            "text_label_mask": mask,
            "text": np.int32(text_number),
        }

    def _draw(self, corpus: Corpus, study: Study, row: int, position: int) -> Text:
        if corpus.options.text == "none" or self.tokenizer is None:
            return no_text(len(self.union))
        draws = reused_generator(self.seed, "text", position)
        if corpus.options.text == "report":
            chosen = corpus.options
            text = draw_report(study, corpus.columns, chosen.sentences, draws, chosen.sections)
            if text is not None:
                return text
        if not corpus.studies.labels:
            return no_text(len(self.union))
        codes = corpus.codes(row)
        if corpus.options.prompts != "names":
            bank = prompt_bank(corpus.options.prompts)
            said = draw_bank_sentences(bank, self.union, codes, corpus.options.sentences, draws)
            if said is not None:
                return said
        labels, mask = corpus.policy.apply(codes)
        return draw_prompt(self.union, codes, (labels > 0) & mask, draws)


def text_id(tokens: np.ndarray) -> int:
    """A number in [0, 2**31) of a text as the model sees it: equal tokens, equal number."""
    digest = hashlib.blake2b(np.ascontiguousarray(tokens, "<i4").tobytes(), digest_size=4).digest()
    return int.from_bytes(digest, "little") >> 1


def stacked(examples: Sequence[Example]) -> Example:
    """Examples as the rows of a batch."""
    return {key: np.stack([example[key] for example in examples]) for key in examples[0]}


def views_of(keys: Sequence[str]) -> tuple[str, ...]:
    """Views that a batch with these keys holds."""
    return tuple(view for view in ("frontal", "lateral", "prior_frontal") if view in keys)
