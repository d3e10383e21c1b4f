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
        stated = {} if silent else _labels(text[start:end], vocabulary, labeler)
        yield (start, end), {**stated, **unknown}


def _labels(sentence: str, vocabulary: Sequence[str], labeler: SentenceLabeler) -> dict[str, int]:
    codes = dict(labeler(sentence))
    if says_no_finding(codes):
        # The union vocabulary has it in lower case.
        codes |= dict.fromkeys((NO_FINDING, NO_FINDING.lower()), schema.POSITIVE)
    return {label: codes[label] for label in vocabulary if label in codes}


def labels_of_sentences(
    sentences: Sequence[Mapping[str, int]], vocabulary: Sequence[str]
) -> dict[str, int]:
    """Labels of a study as the union over the sentences of its report.

    A class is positive where any sentence affirms it, else doubted or denied where one does so, else
    blank. "No Finding" is kept where a sentence says it and none affirms another class.

    Args:
      sentences: label codes of each, as `sentences_of` gives them.
      vocabulary: the classes.

    Returns:
      Codes by class; nothing of a class of which no sentence was read.

    Reference: released data preparation of arXiv:2504.05227 (DLILP), whose classes are present or not.
    """
    labels: dict[str, int] = {}
    for name in vocabulary:
        stated = {codes.get(name, schema.BLANK) for codes in sentences} - {schema.OUTSIDE}
        if stated:
            order = (schema.POSITIVE, schema.UNCERTAIN, schema.NEGATIVE, schema.BLANK)
            labels[name] = next(code for code in order if code in stated)
    normal = [name for name in labels if name.casefold() == NO_FINDING.casefold()]
    others = (code for name, code in labels.items() if name not in normal)
    if schema.POSITIVE in others:
        labels |= dict.fromkeys(normal, schema.BLANK)
    return labels
