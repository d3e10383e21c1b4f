# SPDX-License-Identifier: Apache-2.0
"""The texts of stored studies, tokenised and cached, one drawn for each sample."""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np

from medst_jax.data.batch import TEXT_REPORT
from medst_jax.data.loader.lazy_study import LazyStudy
from medst_jax.data.loader.shuffled_texts import shuffle_sentences
from medst_jax.data.loader.study_cache import UNCACHEABLE, UNCACHED
from medst_jax.data.loader.text_cache import TokenizedTextCache
from medst_jax.data.loader.tokenized_texts import (
    TokenizedTexts,
    concatenate_texts,
    tokenize_texts,
)
from medst_jax.data.mixture.mixture import Corpus
from medst_jax.data.mixture.text_sampling import (
    SampledText,
    candidate_sentences,
    draw_bank_sentences,
    no_text,
    prompts_of,
    report_texts,
    section_sentences,
)
from medst_jax.data.randomness import reused_generator, uniforms
from medst_jax.data.records.schema import OUTSIDE
from medst_jax.data.tokenize.text_tokenizer import TextTokenizer
from medst_jax.options import OptionError
from medst_jax.text.prompts import prompt_bank


class TextReader:
    """Draws the text of a sample.

    The texts of a study are the same in every epoch, except the sentences of a prompt bank. They are
    tokenised once and cached, about a kilobyte per study and process.

    Args:
      corpora: the mixture.
      union: its classes.
      tokenizer: None for no text.
      length: L, tokens of a text.
      seed: of every random choice.
      section: "findings" or "impression" for the whole text of that section alone, "" for the
        text that the data set's options ask for.
      whole_texts: whether "No Finding" is told of whole texts, or where any sentence says it.
    """

    def __init__(
        self,
        corpora: Sequence[Corpus],
        union: tuple[str, ...],
        tokenizer: TextTokenizer | None,
        length: int,
        seed: int,
        section: str = "",
        *,
        whole_texts: bool = True,
    ) -> None:
        self._corpora, self._union, self._tokenizer = tuple(corpora), union, tokenizer
        self._length, self._seed, self._section = length, seed, section
        self._whole_texts, self._purpose = whole_texts, "text"
        self._no_text = tokenize_texts([no_text(len(union))], None, length)
        self._caches = _empty_caches(corpora, union)

    def second(self) -> "TextReader":
        """A reader of the same cache whose draws are independent of this one's."""
        reader = copy.copy(self)
        reader._purpose = f"second {self._purpose}"
        return reader

    def cached(self, number: int, rows: np.ndarray) -> np.ndarray:
        """Of which studies [B] of data set `number` the texts are cached, bool [B]."""
        return self._caches[number].states(rows) >= 0

    def cache_or_draw(self, study: LazyStudy, position: int) -> TokenizedTexts | None:
        """Cache a study's texts; or draw the sample's text, where texts change with the epoch.

        Args:
          study: whose text.
          position: in the global stream; keys the random choice.

        Returns:
          The text of the sample; None where `draw` can take it from the cache.
        """
        cache = self._caches[study.corpus.number]
        state = cache.state(study.row)
        if state == UNCACHED:
            texts = self._cacheable_texts(study)
            if texts is not None:
                cache.add_texts(study.row, *texts)
                return None
            cache.mark_uncacheable(study.row)
        elif state != UNCACHEABLE:
            return None
        text = self._bank_text(study, position)
        # Whether the bank has a sentence depends on the study's labels alone, not on the position.
        assert text is not None
        return self._tokenize([text])

    def draw(
        self,
        number: int,
        rows: np.ndarray,
        positions: np.ndarray,
        classes: np.ndarray | None = None,
    ) -> TokenizedTexts:
        """A cached text of each study.

        Args:
          number: of the data set.
          rows: [B], studies whose texts are cached.
          positions: int64 [B], in the global stream; they key the random choices.
          classes: int64 [B], the class that a text of several should affirm, -1 for none; None for
            no row.
        """
        cache = self._caches[number]
        variates = uniforms(self._seed, self._purpose, positions)
        shuffled = cache.are_sentences(rows)
        if not shuffled.any():
            chosen = cache.choose(rows, variates)
            if classes is not None:
                asked = classes >= 0
                chosen[asked] = cache.choose_affirming(rows[asked], classes[asked], variates[asked])
            return cache.texts(chosen)
        # Both kinds at once would need a Python loop: first the rows of one text each, then those
        # whose sentences are shuffled, and at the end all back in the batch's order.
        order = np.argsort(shuffled, kind="stable")
        whole, several = order[: -shuffled.sum()], order[-shuffled.sum() :]
        texts = [
            cache.texts(cache.choose(rows[whole], variates[whole])),
            self._shuffle(cache, rows[several], positions[several]),
        ]
        return concatenate_texts(texts).take(np.argsort(order))

    def _shuffle(
        self, cache: TokenizedTextCache, rows: np.ndarray, positions: np.ndarray
    ) -> TokenizedTexts:
        entries, counts = cache.all_entries(rows)
        # A number for sentence k of every row, needed or not: so a row's order depends on its
        # position alone.
        keys = np.stack(
            [
                uniforms(self._seed, f"{self._section or self._purpose} sentence {k}", positions)
                for k in range(int(counts.max()))
            ],
            axis=1,
        )
        keys = keys[np.arange(keys.shape[1]) < counts[:, None]]
        sections = cache["section"][entries]
        return shuffle_sentences(cache.texts(entries), sections, counts, keys, self._length)

    def __getstate__(self) -> dict[str, Any]:
        # A copy for a worker process starts with empty caches.
        return {key: value for key, value in self.__dict__.items() if key != "_caches"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _caches=_empty_caches(state["_corpora"], state["_union"]))

    def _tokenize(self, texts: Sequence[SampledText]) -> TokenizedTexts:
        return tokenize_texts(texts, self._tokenizer, self._length)

    def _cacheable_texts(self, study: LazyStudy) -> tuple[TokenizedTexts, np.ndarray | None] | None:
        """What `TokenizedTextCache.add_texts` takes of a study; None for texts of a prompt bank."""
        corpus, options = study.corpus, study.corpus.options
        if options.text == "none" or self._tokenizer is None:
            return self._no_text, None
        if options.text == "report":
            sentences = self._candidates(study)
            if sentences:
                whole = options.sentences == "all" or (self._section and options.sentences == "one")
                choices = [sentences] if whole else [[k] for k in sentences]
                texts = self._tokenize(
                    report_texts(
                        study.parsed,
                        corpus.columns,
                        choices,
                        self._union if self._whole_texts else (),
                        cleaned=options.cleaning == "words",
                    )
                )
                if options.sentences != "shuffled":
                    return texts, None
                sections = [study.parsed.spans[k][0] for k in sentences]
                place = {section: n for n, section in enumerate(dict.fromkeys(sections))}
                return texts, np.array([place[section] for section in sections])
        if options.text == "entities":
            return self._tokenize([self._entity_text(study)]), None
        # A study without such a report: a prompt of its labels, unless a section was asked for.
        if self._section or not corpus.studies.labels:
            return self._no_text, None
        if options.prompts != "names" and self._bank_text(study, 0) is not None:
            return None
        codes = corpus.codes(study.row)
        if (codes == OUTSIDE).all():  # nobody labelled it: not even "other finding" is known
            return self._no_text, None
        labels, mask = corpus.policy.apply(codes)
        return self._tokenize(prompts_of(self._union, codes, (labels > 0) & mask)), None

    def _entity_text(self, study: LazyStudy) -> SampledText:
        table = study.corpus.entities
        if table is None:
            raise OptionError(
                f"config.data.mixture.{study.corpus.name}.text is 'entities', and the system reads "
                "no entities: use 'report'"
            )
        sentences, codes = table.sentences(study.row, self._union)
        if not sentences or self._section:
            return no_text(len(self._union))
        return SampledText(sentences, codes, TEXT_REPORT)

    def _candidates(self, study: LazyStudy) -> list[int]:
        if self._section:
            return section_sentences(study.parsed, self._section)
        options = study.corpus.options
        return candidate_sentences(
            study.parsed, options.sections, as_named=options.order == "sections"
        )

    def _bank_text(self, study: LazyStudy, position: int) -> SampledText | None:
        options, codes = study.corpus.options, study.corpus.codes(study.row)
        rng = reused_generator(self._seed, self._purpose, position)
        bank = prompt_bank(options.prompts)
        return draw_bank_sentences(bank, self._union, codes, options.sentences, rng)


def _empty_caches(
    corpora: Sequence[Corpus], union: Sequence[str]
) -> tuple[TokenizedTextCache, ...]:
    return tuple(TokenizedTextCache(len(corpus.studies), len(union)) for corpus in corpora)
