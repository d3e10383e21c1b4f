# SPDX-License-Identifier: Apache-2.0
"""The sentences of a section and what each says."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from medst_jax.data.records import schema
from medst_jax.text.headings import is_silent
from medst_jax.text.labeler import label_sentence
from medst_jax.text.language import is_foreign
from medst_jax.text.mentions import FINDINGS
from medst_jax.text.no_finding import NO_FINDING, says_no_finding
from medst_jax.text.sentences import split_sentences

SentenceLabeler = Callable[[str], Mapping[str, int]]


def sentences_of(
    title: str,
    text: str,
    language: str,
    vocabulary: Sequence[str],
    labeler: SentenceLabeler = label_sentence,
    known: Collection[str] = FINDINGS,
) -> Iterator[tuple[tuple[int, int], dict[str, int]]]:
    """((start, end), label codes) of each sentence.

    Only English is read: of a class that is not among the labeler's `known` ones, and of all classes in another
    language, nobody said anything. Sections that ask, compare, plan or inform mention no class.
    "No Finding" is that of the sentence alone, by the rule of `medst_jax.text.no_finding`.
    """
    foreign = language != "en" or is_foreign(text)
    unknown = {name: schema.OUTSIDE for name in vocabulary if foreign or name not in known}
    silent = foreign or is_silent(title)
    for start, end in split_sentences(text):
        said = {} if silent else _labels(text[start:end], vocabulary, labeler)
        yield (start, end), {**said, **unknown}


def _labels(sentence: str, vocabulary: Sequence[str], labeler: SentenceLabeler) -> dict[str, int]:
    codes = dict(labeler(sentence))
    if says_no_finding(codes):
        # The union vocabulary has it in lower case.
        codes |= dict.fromkeys((NO_FINDING, NO_FINDING.lower()), schema.POSITIVE)
    return {label: codes[label] for label in vocabulary if label in codes}
