# SPDX-License-Identifier: Apache-2.0
"""Reports whose sentences come in a random order within each section, of a whole batch at once."""

import numpy as np

from medst_jax.data.loader.tokenized_texts import TokenizedTexts, text_hash
from medst_jax.data.mixture.labels import merge_runs


def shuffle_sentences(
    sentences: TokenizedTexts,
    sections: np.ndarray,
    sizes: np.ndarray,
    keys: np.ndarray,
    length: int,
) -> TokenizedTexts:
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
    # Of each token: its text, and its sentence's place there.
    text_of, sentence_of = (np.repeat(values, sentences.counts) for values in (text, place))
    uncut = np.bincount(text_of, minlength=len(sizes))
    # First and last token take two places.
    fits = np.arange(len(text_of)) - np.repeat(np.cumsum(uncut) - uncut, uncut) < length - 2
    ids, sentence_of, text_of = sentences.ids[fits], sentence_of[fits], text_of[fits]
    counts = np.bincount(text_of, minlength=len(sizes))
    last = np.zeros(len(sizes), np.int64)
    np.maximum.at(last, text_of, sentence_of)
    # Labels count sentences of which at least one token is left, as when a text is cut alone.
    remains = place <= last[text]
    begin = np.cumsum(sizes) - sizes
    ends = np.cumsum(counts)
    return TokenizedTexts(
        ids=ids,
        sentence_index=sentence_of,
        counts=counts,
        codes=merge_runs(sentences.codes[remains], np.cumsum(last + 1) - last - 1),
        sources=sentences.sources[begin],
        hashes=np.array(
            [
                text_hash(ids[e - n : e])
                for e, n in zip(ends.tolist(), counts.tolist(), strict=True)
            ],
            np.int32,
        ),
    )
