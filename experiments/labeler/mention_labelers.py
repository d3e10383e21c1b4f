# SPDX-License-Identifier: Apache-2.0
"""Labelers to compare `label_findings` with: the same phrase lists, other ways to read a denial.

`keyword` affirms every mention; `negex` drops those within six words behind a negation; `medspacy`
drops those that ConText calls negated, in an interpreter of its own that has medspaCy. What ConText
calls historical, hypothetical or of the family stays: dropping it too changes the macro F1 of the
tuning half by at most 0.001. What it calls uncertain stays as it does for `label_findings`: without
it the 0.769 of that half would be 0.776.
"""

import json
import pathlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from medst_jax.benchmarks.other_python import answer
from medst_jax.text.headings import is_silent
from medst_jax.text.mentions import MENTIONS, OTHERS, WEAK_MENTIONS
from medst_jax.text.no_finding import NO_FINDING
from medst_jax.text.sections import split_sections
from medst_jax.text.sentences import split_sentences

WORKER = pathlib.Path(__file__).with_name("medspacy_worker.py")
NEGATIONS = re.compile(
    r"\b(?:no|not|without|absent|negative for|free of|clear of|denies|rule out|resolved)\b"
    r"(?:\W+\w+){0,6}\W*$"
)


class Sentence(NamedTuple):
    """Lower-case text, and its mentions as (finding, start, end) in characters."""

    text: str
    mentions: tuple[tuple[str, int, int], ...]


def _expression(phrases: tuple[str, ...]) -> re.Pattern[str]:
    variants = (re.escape(p).replace(r"\*", r"\w*").replace(r"\ ", r"\W+") for p in phrases)
    return re.compile(rf"\b(?:{'|'.join(variants)})\b")


_KEYWORDS = {
    name: _expression(phrases + WEAK_MENTIONS.get(name, ())) for name, phrases in MENTIONS.items()
}
_KEYWORDS[""] = _expression(OTHERS)


def sentences_of(report: str) -> Iterator[Sentence]:
    """The sentences that report, with their mentions; "" is an abnormality of another name."""
    for section, text in split_sections(report.lower()):
        if not is_silent(section):
            for start, end in split_sentences(text):
                sentence = text[start:end]
                mentions = (
                    (name, match.start(), match.end())
                    for name, expression in _KEYWORDS.items()
                    for match in expression.finditer(sentence)
                )
                yield Sentence(sentence, tuple(mentions))


def keyword(report: str) -> dict[str, int]:
    """Every mention is positive."""
    return _labels(name for sentence in sentences_of(report) for name, _, _ in sentence.mentions)


def negex(report: str) -> dict[str, int]:
    """Every mention that is not behind a negation is positive."""
    return _labels(
        name
        for text, mentions in sentences_of(report)
        for name, start, _ in mentions
        if not NEGATIONS.search(text[:start])
    )


def medspacy(reports: Sequence[str], python: str) -> tuple[list[dict[str, int]], dict[str, Any]]:
    """Every mention that ConText does not call negated is positive.

    Returns:
      The labels of each report, and the worker's answer: its `version`, and `seconds` of
      processor time for tokenising and ConText alone, the mentions being given.

    Raises:
      ValueError: the interpreter fails; holds its last words.
    """
    texts = [[s for s in sentences_of(report) if s.mentions] for report in reports]
    context_answer = context(texts, python)
    labels = []
    for sentences, flags in zip(texts, context_answer["flags"], strict=True):
        labels.append(
            _labels(
                name
                for sentence, sentence_flags in zip(sentences, flags, strict=True)
                for (name, _, _), flag in zip(sentence.mentions, sentence_flags, strict=True)
                if "is_negated" not in flag
            )
        )
    return labels, context_answer


def context(texts: Sequence[Sequence[Sentence]], python: str) -> dict[str, Any]:
    """What `medspacy_worker.py` says of every mention; see there."""
    request = [
        [{"text": s.text, "mentions": [m[1:] for m in s.mentions]} for s in text] for text in texts
    ]
    return answer(python, WORKER, sent=json.dumps(request))


def _labels(names: Iterable[str]) -> dict[str, int]:
    findings = set(names)
    labels = dict.fromkeys(sorted(findings - {""}), 1)
    return labels if findings - {"Support Devices"} else {NO_FINDING: 1, **labels}


def present(labels: Mapping[str, int]) -> frozenset[str]:
    """Findings that a labeler calls positive or uncertain."""
    return frozenset(name for name, code in labels.items() if code != 0)
