# SPDX-License-Identifier: Apache-2.0
"""A cache of the tokenised texts of each study."""

import threading

import numpy as np

from medst_jax.data.loader.study_cache import GrowableColumns, StudyCache
from medst_jax.data.loader.tokenized_texts import TokenizedTexts, run_indices
from medst_jax.data.records.schema import POSITIVE


class TokenizedTextCache(StudyCache):
    """Tokenised texts of each study: an entry is a text.

    Args:
      studies: how many there are.
      classes: C, of a text's labels.
    """

    def __init__(self, studies: int, classes: int) -> None:
        super().__init__(
            studies,
            start=np.int64(),
            count=np.int64(),
            codes=np.zeros(classes, np.int8),
            source=np.int8(),
            text_hash=np.int32(),
            section=np.int16(),
        )
        # Texts differ in length, so that their tokens have columns of their own: `start` and
        # `count` of a text say where.
        self._tokens = GrowableColumns(ids=np.int32(), sentence_index=np.int16())
        self._tokens_lock = threading.Lock()

    def add_texts(
        self, row: int, texts: TokenizedTexts, sections: np.ndarray | None = None
    ) -> None:
        """Cache the texts of a study, any as likely as another.

        Args:
          row: the study.
          texts: one or more.
          sections: int [K], if the texts are the sentences of one: the section of each.
        """
        with self._tokens_lock:
            start = self._tokens.append(ids=texts.ids, sentence_index=texts.sentence_index)
        self.add(
            row,
            start=start + np.cumsum(texts.counts) - texts.counts,
            count=texts.counts,
            codes=texts.codes,
            source=texts.sources,
            text_hash=texts.hashes,
            section=np.full(len(texts.counts), -1) if sections is None else sections,
        )

    def are_sentences(self, rows: np.ndarray) -> np.ndarray:
        """Which of the cached studies [B] have the sentences of one text as entries, bool [B]."""
        return self["section"][self._first[rows]] >= 0

    def choose_affirming(
        self, rows: np.ndarray, classes: np.ndarray, variates: np.ndarray
    ) -> np.ndarray:
        """An entry of each cached study that affirms a class, if it has one, else any of its entries.

        Args:
          rows: int64 [B], the studies.
          classes: int64 [B], columns of the labels.
          variates: [B] in [0, 1), by which an entry is chosen.
        """
        entries, counts = self.all_entries(rows)
        row = np.repeat(np.arange(len(rows)), counts)
        affirms = self["codes"][entries, classes[row]] == POSITIVE
        affirming = np.bincount(row, affirms, minlength=len(rows)).astype(np.int64)
        # The number of the chosen one among the affirming entries of all studies.
        number = np.cumsum(affirming) - affirming + (variates * affirming).astype(np.int64)
        chosen = self.choose(rows, variates)
        has = affirming > 0
        chosen[has] = entries[affirms][number[has]]
        return chosen

    def texts(self, entries: np.ndarray) -> TokenizedTexts:
        """The texts of entries [K]."""
        counts = self["count"][entries]
        places = run_indices(self["start"][entries], counts)
        return TokenizedTexts(
            ids=self._tokens["ids"][places],
            sentence_index=self._tokens["sentence_index"][places],
            counts=counts,
            codes=self["codes"][entries],
            sources=self["source"][entries],
            hashes=self["text_hash"][entries],
        )
