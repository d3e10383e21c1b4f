# SPDX-License-Identifier: Apache-2.0
"""A report while it is written, and when it is done."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from medst_jax.data_pipelines.raw import RawSentence
from medst_jax.data_pipelines.simulated_cxr.findings.findings import OPACITIES
from medst_jax.text.headings import is_silent
from medst_jax.text.labeler import label_findings, label_sentence
from medst_jax.text.no_finding import NO_FINDING, OTHER, says_no_finding

Labels = dict[str, int]

_ARTICLE = re.compile(r"\b([Aa]) (?=[aeiouAEIOU])")

PARENT = "Lung Opacity"


@dataclass
class Draft:
    """Sentences of one section while it is written; `numbered` sections are lists."""

    name: str
    numbered: bool = False
    parts: list[tuple[str, Labels]] = field(default_factory=list)

    def say(self, text: str, labels: Mapping[str, int] | None = None) -> None:
        """Adds a sentence, with what it says: finding -> 1 affirmed, 0 denied, -1 hedged."""
        text = " ".join(text.split()).replace(" ,", ",").replace(" .", ".")
        text = _ARTICLE.sub(r"\1n ", text)
        text = text[0].upper() + text[1:]
        self.parts.append((text if text.endswith(".") else text + ".", dict(labels or {})))

    def mentions(self, name: str) -> bool:
        """Whether a sentence says anything about a finding."""
        return any(name in labels for _, labels in self.parts)

    def affirmed(self) -> frozenset[str]:
        """The findings affirmed or hedged so far."""
        return frozenset(n for _, labels in self.parts for n, code in labels.items() if code)


@dataclass(frozen=True)
class Report:
    """A finished report.

    `sentences` carry what each says; `mentions` is what the labeler mines from the text;
    `progression` is what was compared: finding -> 1 worse, 0 same, -1 better.
    """

    sections: tuple[tuple[str, str], ...]
    sentences: tuple[RawSentence, ...]
    mentions: Labels
    progression: Labels

    @property
    def text(self) -> str:
        """The report as one text with headers."""
        return "\n".join(f"{name}: {text}" for name, text in self.sections)

    def sentences_of(self, section: str) -> list[tuple[str, Labels]]:
        """The sentences of a section with what they say."""
        names = [name for name, _ in self.sections]
        return [
            (self.sections[s.section][1][s.start : s.end], dict(s.labels))
            for s in self.sentences
            if names[s.section] == section
        ]


def assemble(drafts: Sequence[Draft], progression: Mapping[str, int]) -> Report:
    """Joins the sections, finds where each sentence lies, and mines the labels."""
    sections, sentences = [], []
    for index, draft in enumerate(drafts):
        text = ""
        listed = draft.numbered and len(draft.parts) > 1
        for number, (sentence, labels) in enumerate(draft.parts, start=1):
            text += ("\n" if listed else " ") if text else ""
            text += f"{number}. " if listed else ""
            if not is_silent(draft.name):
                labels = with_no_finding(sentence, labels)
            sentences.append(RawSentence(index, len(text), len(text) + len(sentence), labels))
            text += sentence
        sections.append((draft.name, text))
    return Report(tuple(sections), tuple(sentences), mine_labels(sections), dict(progression))


def with_no_finding(sentence: str, labels: Labels) -> Labels:
    """What a sentence says, with "No Finding" by the rule that real text is labelled by."""
    codes = {name: code for name, code in labels.items() if name != NO_FINDING}
    outside = {name: code for name, code in label_sentence(sentence).items() if name == OTHER}
    return {NO_FINDING: 1, **codes} if says_no_finding({**codes, **outside}) else codes


def mine_labels(sections: Iterable[tuple[str, str]]) -> dict[str, int]:
    """Labels mined from a report, as real data sets get theirs: finding -> 1, 0, -1.

    Absent when not mentioned.

    An affirmed or doubted opacity of a kind affirms or doubts "Lung Opacity", its parent among
    the observations, for which reports seldom use a word of its own.
    """
    labels = label_findings("\n".join(f"{name}: {text}" for name, text in sections))
    children = {labels.get(name, 0) for name in (*OPACITIES, "Pneumonia")}
    if 1 in children:
        labels[PARENT] = 1
    elif -1 in children and labels.get(PARENT) != 1:
        labels[PARENT] = -1
    return labels
