# SPDX-License-Identifier: Apache-2.0
"""Tokenised texts laid end to end, and as the rows of a batch."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from medst_jax.data.batch import TEXT_NONE
from medst_jax.data.mixture.text_sampling import Text
from medst_jax.data.tokenize.text_tokenizer import PAD, TextTokenizer

NO_TEXT = -1


class Tokenized(NamedTuple):
    """K texts.

    ids: int32 [sum of counts], without first and last token. owners: integers of the same shape, the
    sentence of each.
    counts: int64 [K], ids of each text. codes: int8 [K, C], its labels. sources: int8 [K].
    numbers: int32 [K], equal for equal texts, -1 for none.
    """

    ids: np.ndarray
    owners: np.ndarray
    counts: np.ndarray
    codes: np.ndarray
    sources: np.ndarray
    numbers: np.ndarray

    def take(self, texts: np.ndarray) -> "Tokenized":
        """The given texts [B], in their order."""
        places = runs((np.cumsum(self.counts) - self.counts)[texts], self.counts[texts])
        return Tokenized(
            self.ids[places], self.owners[places], *(column[texts] for column in self[2:])
        )


def tokenized(texts: Sequence[Text], tokenizer: TextTokenizer | None, length: int) -> Tokenized:
    """Texts, each cut to fit in `length` tokens; its labels are of the sentences that are left."""
    cut = [tokenizer.cut_pieces(t.sentences, length) if tokenizer else ([], []) for t in texts]
    laid = np.array([k for ids, _ in cut for k in ids], np.int32)
    counts = np.array([len(ids) for ids, _ in cut], np.int64)
    ends = np.cumsum(counts).tolist()
    starts = [0, *ends[:-1]]
    return Tokenized(
        ids=laid,
        owners=np.array([k for _, owners in cut for k in owners], np.int32),
        counts=counts,
        codes=np.stack(
            [
                text.kept_codes(owners[-1] + 1 if owners else 0)
                for text, (_, owners) in zip(texts, cut, strict=True)
            ]
        ),
        sources=np.array([text.source for text in texts], np.int8),
        numbers=np.array(
            [
                NO_TEXT if text.source == TEXT_NONE else text_number(laid[start:end])
                for text, start, end in zip(texts, starts, ends, strict=True)
            ],
            np.int32,
        ),
    )


def joined(texts: Sequence[Tokenized]) -> Tokenized:
    """All texts, end to end."""
    return Tokenized(*(np.concatenate(columns) for columns in zip(*texts, strict=True)))


def runs(starts: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The places `start, start + 1, ...` of each run, end to end.

    >>> runs(np.array([7, 3]), np.array([2, 3])).tolist()
    [7, 8, 3, 4, 5]
    """
    before = np.cumsum(counts) - counts
    return np.arange(counts.sum()) + np.repeat(starts - before, counts)


def padded(
    texts: Tokenized, tokenizer: TextTokenizer | None, length: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Texts as rows of a batch.

    Returns:
      tokens int32 [K, L], token_mask bool [K, L], and sentence_index int32 [K, L], -1 at first and
      last tokens and padding. All padding where there is no text.
    """
    shape = len(texts.counts), length
    tokens, sentence_index = np.full(shape, PAD, np.int32), np.full(shape, -1, np.int32)
    if tokenizer is None:
        return tokens, np.zeros(shape, bool), sentence_index
    places = runs(np.arange(shape[0]) * length + 1, texts.counts)
    tokens.reshape(-1)[places] = texts.ids
    sentence_index.reshape(-1)[places] = texts.owners
    present = np.flatnonzero(texts.sources != TEXT_NONE)
    tokens[present, 0] = tokenizer.first
    tokens[present, texts.counts[present] + 1] = tokenizer.last
    return tokens, tokenizer.mask(tokens), sentence_index


def text_number(ids: np.ndarray) -> int:
    """In [0, 2**31), of a text as the model sees it: equal tokens, equal number."""
    digest = hashlib.blake2b(ids.astype("<i4", copy=False).tobytes(), digest_size=4).digest()
    return int.from_bytes(digest, "little") >> 1
