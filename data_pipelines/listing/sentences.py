# SPDX-License-Identifier: Apache-2.0
"""The sentences of a section and what each says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from medst_jax.data import schema
from medst_jax.text import label_sentence, split_sentences
from medst_jax.text.mentions import NO_FINDING
from medst_jax.text.words import SILENT_SECTIONS


def sentences_of(
    title: str, text: str, language: str, vocabulary: Sequence[str]
) -> Iterator[tuple[tuple[int, int], dict[str, int]]]:
    """((start, end), label codes) of each sentence.

    Only English is labelled, and only sections that report: indications and techniques are not.
    "No Finding" holds for a sentence that denies every finding it names.
    """
    silent = language != "en" or title in SILENT_SECTIONS
    for start, end in split_sentences(text):
        yield (start, end), {} if silent else _labels(text[start:end], vocabulary)


def _labels(sentence: str, vocabulary: Sequence[str]) -> dict[str, int]:
    codes = label_sentence(sentence)
    if codes and all(code == schema.NEGATIVE for code in codes.values()):
        codes[NO_FINDING] = schema.POSITIVE
    return {label: codes[label] for label in vocabulary if label in codes}
