# SPDX-License-Identifier: Apache-2.0
"""Tokenised texts laid end to end in flat arrays, and as the rows of a batch."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from medst_jax.data.batch import TEXT_NONE
from medst_jax.data.mixture.text_sampling import SampledText
from medst_jax.data.tokenize.text_tokenizer import PAD, TextTokenizer

NO_TEXT = -1


class TokenizedTexts(NamedTuple):
    """K texts.

    ids: int32 [N], the tokens of all texts, N the sum of `counts`; without first and last token.
    sentence_index: integers [N], the sentence of each token in its text.
    counts: int64 [K], tokens of each text.
    codes: int8 [K, C], label codes of each text.
    sources: int8 [K], as the batch's `text_source`.
    hashes: int32 [K], equal for equal texts, -1 for none.
    """

    ids: np.ndarray
    sentence_index: np.ndarray
    counts: np.ndarray
    codes: np.ndarray
    sources: np.ndarray
    hashes: np.ndarray

    def take(self, texts: np.ndarray) -> "TokenizedTexts":
        """The given texts [B], in their order."""
        places = run_indices((np.cumsum(self.counts) - self.counts)[texts], self.counts[texts])
        per_text = (column[texts] for column in self[2:])
        return TokenizedTexts(self.ids[places], self.sentence_index[places], *per_text)


def tokenize_texts(
    texts: Sequence[SampledText], tokenizer: TextTokenizer | None, length: int
) -> TokenizedTexts:
    """Texts, each cut to fit in `length` tokens; its labels are of the sentences that are left."""
    pieces = [tokenizer.cut_pieces(t.sentences, length) if tokenizer else ([], []) for t in texts]
    flat_ids = np.array([k for ids, _ in pieces for k in ids], np.int32)
    counts = np.array([len(ids) for ids, _ in pieces], np.int64)
    ends = np.cumsum(counts).tolist()
    starts = [0, *ends[:-1]]
    return TokenizedTexts(
        ids=flat_ids,
        sentence_index=np.array([k for _, sentences in pieces for k in sentences], np.int32),
        counts=counts,
        # A finding that only a cut sentence mentions is not a label of what the model reads.
        codes=np.stack(
            [
                text.codes_of_first(sentences[-1] + 1 if sentences else 0)
                for text, (_, sentences) in zip(texts, pieces, strict=True)
            ]
        ),
        sources=np.array([text.source for text in texts], np.int8),
        hashes=np.array(
            [
                NO_TEXT if text.source == TEXT_NONE else text_hash(flat_ids[start:end])
                for text, start, end in zip(texts, starts, ends, strict=True)
            ],
            np.int32,
        ),
    )


def concatenate_texts(texts: Sequence[TokenizedTexts]) -> TokenizedTexts:
    """All texts, end to end."""
    return TokenizedTexts(*(np.concatenate(columns) for columns in zip(*texts, strict=True)))


def run_indices(starts: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The indices `start, start + 1, ...` of each run, end to end.

    >>> run_indices(np.array([7, 3]), np.array([2, 3])).tolist()
    [7, 8, 3, 4, 5]
    """
    before = np.cumsum(counts) - counts
    return np.arange(counts.sum()) + np.repeat(starts - before, counts)


def pad_texts(
    texts: TokenizedTexts, tokenizer: TextTokenizer | None, length: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Texts as rows of a batch.

    Returns:
      tokens int32 [K, L], token_mask bool [K, L], and sentence_index int32 [K, L], -1 at first and
      last tokens and padding. All padding where there is no text.
    """
    shape = len(texts.counts), length
    padding = PAD if tokenizer is None else tokenizer.pad
    tokens, sentence_index = np.full(shape, padding, np.int32), np.full(shape, -1, np.int32)
    if tokenizer is None:
        return tokens, np.zeros(shape, bool), sentence_index
    begin = tokenizer.begin
    # One assignment into the flattened rows for the whole batch: no Python loop over texts.
    places = run_indices(np.arange(shape[0]) * length + begin, texts.counts)
    tokens.reshape(-1)[places] = texts.ids
    sentence_index.reshape(-1)[places] = texts.sentence_index
    exists = texts.sources != TEXT_NONE
    present = np.flatnonzero(exists)
    if tokenizer.first is not None:
        tokens[present, 0] = tokenizer.first
    tokens[present, texts.counts[present] + begin] = tokenizer.last
    # The padding of some tokenizers is the token that ends a text.
    return tokens, tokenizer.mask(tokens) & exists[:, None], sentence_index


def text_hash(ids: np.ndarray) -> int:
    """In [0, 2**31), of a text as the model sees it: equal tokens, equal hash."""
    # A fixed byte order and a keyless digest: every host computes the same number.
    digest = hashlib.blake2b(ids.astype("<i4", copy=False).tobytes(), digest_size=4).digest()
    return int.from_bytes(digest, "little") >> 1
