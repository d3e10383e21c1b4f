# SPDX-License-Identifier: Apache-2.0
"""The texts of stored studies, tokenised and remembered, one drawn for each sample."""

from collections.abc import Sequence

import numpy as np

from medst_jax.data.loader.record_reader import OpenStudy
from medst_jax.data.loader.shuffled_texts import shuffled
from medst_jax.data.loader.text_cache import ANEW, UNMET, RememberedTexts
from medst_jax.data.loader.tokenized_texts import Tokenized, joined, tokenized
from medst_jax.data.mixture.mixture import Corpus
from medst_jax.data.mixture.text_sampling import (
    Text,
    candidates,
    draw_bank_sentences,
    no_text,
    prompts_of,
    report_texts,
    section_sentences,
)
from medst_jax.data.randomness import reused_generator, uniforms
from medst_jax.data.tokenize.text_tokenizer import TextTokenizer
from medst_jax.text.prompts import prompt_bank


class TextReader:
    """Draws the text of a sample.

    What can be said of a study is the same in every epoch, but for the sentences of a prompt bank:
    it is tokenised once and remembered, about a kilobyte per study and process.

    Args:
      corpora: the mixture.
      union: its classes.
      tokenizer: None for no text.
      length: L, tokens of a text.
      seed: of the draws.
      section: "findings" or "impression" for the whole text of that section alone, "" for the
        text that the data set's options ask for.
    """

    def __init__(
        self,
        corpora: Sequence[Corpus],
        union: tuple[str, ...],
        tokenizer: TextTokenizer | None,
        length: int,
        seed: int,
        section: str = "",
    ) -> None:
        self._corpora, self._union, self._tokenizer = tuple(corpora), union, tokenizer
        self._length, self._seed, self._section = length, seed, section
        self._none = tokenized([no_text(len(union))], None, length)
        self._known = tuple(RememberedTexts(len(corpus.studies), len(union)) for corpus in corpora)

    def met(self, number: int, rows: np.ndarray) -> np.ndarray:
        """Of which studies [B] of data set `number` the texts are remembered, bool [B]."""
        return self._known[number].state(rows) >= 0

    def meet(self, study: OpenStudy, position: int) -> Tokenized | None:
        """Remember a study's texts; the text of the sample where it is drawn anew every time.

        Args:
          study: whose text.
          position: in the global stream; keys the draw.
        """
        known = self._known[study.corpus.number]
        state = known.state_of(study.row)
        if state == UNMET:
            found = self._choices(study)
            if found is not None:
                known.add_texts(study.row, *found)
                return None
            known.ask_anew(study.row)
        elif state != ANEW:
            return None
        text = self._of_bank(study, position)
        assert text is not None  # `_choices` found one
        return self._tokenized([text])

    def draw(self, number: int, rows: np.ndarray, positions: np.ndarray) -> Tokenized:
        """A remembered text of each study.

        Args:
          number: of the data set.
          rows: [B], studies that were met.
          positions: int64 [B], in the global stream; they key the draws.
        """
        known = self._known[number]
        chances = uniforms(self._seed, "text", positions)
        several = known.are_sentences(rows)
        if not several.any():
            return known.texts(known.draw(rows, chances))
        # Those of one kind behind those of the other, and back in their order.
        order = np.argsort(several, kind="stable")
        one, many = order[: -several.sum()], order[-several.sum() :]
        texts = [
            known.texts(known.draw(rows[one], chances[one])),
            self._shuffled(known, rows[many], positions[many]),
        ]
        return joined(texts).take(np.argsort(order))

    def _shuffled(
        self, known: RememberedTexts, rows: np.ndarray, positions: np.ndarray
    ) -> Tokenized:
        entries, counts = known.all(rows)
        keys = np.stack(
            [
                uniforms(self._seed, f"{self._section or 'text'} sentence {k}", positions)
                for k in range(int(counts.max()))
            ],
            axis=1,
        )
        keys = keys[np.arange(keys.shape[1]) < counts[:, None]]
        sections = known["section"][entries]
        return shuffled(known.texts(entries), sections, counts, keys, self._length)

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        given = (self._corpora, self._union, self._tokenizer, self._length, self._seed)
        return TextReader, (*given, self._section)

    def _tokenized(self, texts: Sequence[Text]) -> Tokenized:
        return tokenized(texts, self._tokenizer, self._length)

    def _choices(self, study: OpenStudy) -> tuple[Tokenized, np.ndarray | None] | None:
        """What `RememberedTexts.add_texts` takes of a study; None where each text is drawn anew."""
        corpus, options = study.corpus, study.corpus.options
        if options.text == "none" or self._tokenizer is None:
            return self._none, None
        if options.text == "report":
            said = self._candidates(study)
            if said:
                whole = options.sentences == "all" or (self._section and options.sentences == "one")
                texts = [said] if whole else [[k] for k in said]
                made = self._tokenized(report_texts(study.parsed, corpus.columns, texts))
                if options.sentences != "shuffled":
                    return made, None
                return made, np.array([study.parsed.spans[k][0] for k in said])
        if self._section or not corpus.studies.labels:
            return self._none, None
        if options.prompts != "names" and self._of_bank(study, 0) is not None:
            return None
        codes = corpus.codes(study.row)
        labels, mask = corpus.policy.apply(codes)
        return self._tokenized(prompts_of(self._union, codes, (labels > 0) & mask)), None

    def _candidates(self, study: OpenStudy) -> list[int]:
        if self._section:
            return section_sentences(study.parsed, self._section)
        return candidates(study.parsed, study.corpus.options.sections)

    def _of_bank(self, study: OpenStudy, position: int) -> Text | None:
        options, codes = study.corpus.options, study.corpus.codes(study.row)
        draws = reused_generator(self._seed, "text", position)
        bank = prompt_bank(options.prompts)
        return draw_bank_sentences(bank, self._union, codes, options.sentences, draws)
