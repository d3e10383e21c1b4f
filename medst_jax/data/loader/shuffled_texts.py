# SPDX-License-Identifier: Apache-2.0
"""Reports whose sentences come in a random order within each section, of a whole batch at once."""

import numpy as np

from medst_jax.data.loader.tokenized_texts import Tokenized, text_number
from medst_jax.data.mixture.labels import merge_runs


def shuffled(
    sentences: Tokenized, sections: np.ndarray, sizes: np.ndarray, keys: np.ndarray, length: int
) -> Tokenized:
    """Texts of sentences, each cut to fit in `length` tokens; its labels are of what is left.

    Args:
      sentences: those of all texts, end to end.
      sections: int [K], the section of each; sections stay in their order.
      sizes: int [B], sentences of each text, at least one.
      keys: [K], random numbers by which the sentences of a section are ordered.
      length: L, tokens of a text, first and last token included.
    """
    text = np.repeat(np.arange(len(sizes)), sizes)
    sentences = sentences.take(np.lexsort((keys, sections, text)))
    place = np.arange(len(text)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    # Of each token: its text, its sentence's place there, and its own.
    text_of, owners = (np.repeat(values, sentences.counts) for values in (text, place))
    whole = np.bincount(text_of, minlength=len(sizes))
    kept = np.arange(len(text_of)) - np.repeat(np.cumsum(whole) - whole, whole) < length - 2
    ids, owners, text_of = sentences.ids[kept], owners[kept], text_of[kept]
    counts = np.bincount(text_of, minlength=len(sizes))
    last = np.zeros(len(sizes), np.int64)
    np.maximum.at(last, text_of, owners)
    heard = place <= last[text]
    begin = np.cumsum(sizes) - sizes
    ends = np.cumsum(counts)
    return Tokenized(
        ids=ids,
        owners=owners,
        counts=counts,
        codes=merge_runs(sentences.codes[heard], np.cumsum(last + 1) - last - 1),
        sources=sentences.sources[begin],
        numbers=np.array(
            [
                text_number(ids[e - n : e])
                for e, n in zip(ends.tolist(), counts.tolist(), strict=True)
            ],
            np.int32,
        ),
    )
