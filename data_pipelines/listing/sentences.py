# SPDX-License-Identifier: Apache-2.0
"""The sentences of a section and what each says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from medst_jax.data.records import schema
from medst_jax.text.labeler import label_sentence
from medst_jax.text.mentions import NO_FINDING
from medst_jax.text.sentences import split_sentences
from medst_jax.text.words import SILENT_SECTIONS

SentenceLabeler = Callable[[str], Mapping[str, int]]


def sentences_of(
    title: str,
    text: str,
    language: str,
    vocabulary: Sequence[str],
    labeler: SentenceLabeler = label_sentence,
) -> Iterator[tuple[tuple[int, int], dict[str, int]]]:
    """((start, end), label codes) of each sentence.

    Only English is labelled, and only sections that report: indications and techniques are not.
    "No Finding" holds for a sentence that denies every finding it names.
    """
    silent = language != "en" or title in SILENT_SECTIONS
    for start, end in split_sentences(text):
        yield (start, end), {} if silent else _labels(text[start:end], vocabulary, labeler)


def _labels(sentence: str, vocabulary: Sequence[str], labeler: SentenceLabeler) -> dict[str, int]:
    codes = dict(labeler(sentence))
    if codes and all(code == schema.NEGATIVE for code in codes.values()):
        # The union vocabulary has it in lower case.
        codes |= dict.fromkeys((NO_FINDING, NO_FINDING.lower()), schema.POSITIVE)
    return {label: codes[label] for label in vocabulary if label in codes}
