# SPDX-License-Identifier: Apache-2.0
"""How far the cues of a sentence reach: which of its words are denied, doubted, or of the past.

The time grows with the length of the sentence and no faster, whatever the sentence holds.
"""

import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from medst_jax.text.cues import ALTERNATIVES, DEGREES, EXPLANATIONS, OPENINGS, SEPARATORS, VERBS
from medst_jax.text.lexicon import Match

# Kinds of matches that name what a list may hold.
NAMING = frozenset(("mention", "weak", "anatomy", "general"))
_FINDINGS = frozenset(("mention", "weak"))
_MARKS = {"negative": 0, "uncertain": 1, "history": 2}
_ENDS = frozenset((",", ";", ":"))


class Reach(NamedTuple):
    """Of each word whether it is denied, doubted, or part of the patient's history."""

    denied: list[bool]
    doubted: list[bool]
    past: list[bool]


def reach(words: Sequence[str], matches: Sequence[Match]) -> Reach:
    """What the cues among `matches` do to the words of a sentence."""
    count = len(words)
    reached = Reach([False] * count, [False] * count, [False] * count)
    if not any(match.kind == "cue" for match in matches):
        return reached
    sentence = _Sentence(words, matches)
    for number, match in enumerate(matches):
        if match.kind != "cue":
            continue
        polarity, _, direction = match.value.partition(" ")
        if polarity not in _MARKS:
            continue
        marks = reached[_MARKS[polarity]]
        if direction == "nearest":
            direction = "backward" if sentence.follows_mention(number) else "forward"
        elif direction in ("forward", "last") and sentence.at_end(number):
            first = sentence.segment_start(number)  # "atelectasis most likely"
            marks[first : match.start] = [True] * (match.start - first)
            continue
        if direction in ("backward", "around"):
            first = sentence.backward_start(number)
            marks[first : match.start] = [True] * (match.start - first)
        if direction in ("forward", "around"):
            end = sentence.forward_end(number)
            if end > match.end:
                marks[match.end : end] = [True] * (end - match.end)
    return reached


class _Sentence:
    """Positions in a sentence that bound the reach of its cues."""

    def __init__(self, words: Sequence[str], matches: Sequence[Match]) -> None:
        self._words, self._matches = words, matches
        breaks = [match.start for match in matches if match.value == "break"]
        self._clauses = [0, *breaks, len(words)]
        self._commas, self._separators = [], []
        self._verbs, self._alternatives = [], []
        self._qualified, self._explanations = [], []
        for position, word in enumerate(words):
            if word in SEPARATORS:
                self._separators.append(position)
                if word == ",":
                    self._commas.append(position)
            elif word in VERBS:
                self._verbs.append(position)
                self._qualified.append(position)
            elif word in DEGREES:
                self._qualified.append(position)
            elif word in ALTERNATIVES:
                self._alternatives.append(position)
            elif word in EXPLANATIONS:
                self._explanations.append(position)
        self._before = list(
            itertools.accumulate(range(len(matches)), self._last_finding, initial=-1)
        )
        self._next = self._following()
        self._next_separator: dict[int, int] = {}

    def _last_finding(self, last: int, number: int) -> int:
        return number if self._matches[number].kind in _FINDINGS else last

    def _following(self) -> list[tuple[int, int, int]]:
        """For each match the starts of the next denial and the next "no cue", and the end of the
        next naming match, behind it."""
        nowhere = len(self._words)
        denial = neutral = named = nowhere
        following = []
        for match in reversed(self._matches):
            following.append((denial, neutral, named))
            if match.kind == "cue":
                if match.value.startswith("negative"):
                    denial = match.start
                elif match.value == "no cue":
                    neutral = match.start
            elif match.kind in NAMING:
                named = match.end
        return following[::-1]

    def _clause(self, number: int) -> tuple[int, int]:
        """The words [start, end) of the clause in which a match begins."""
        place = bisect_right(self._clauses, self._matches[number].start, 0, len(self._clauses) - 1)
        return self._clauses[place - 1], self._clauses[place]

    def follows_mention(self, number: int) -> bool:
        """Whether a mention stands before the cue where it reaches back."""
        first = self.backward_start(number)
        before = self._before[number]
        while before >= 0 and self._matches[before].kind != "mention":
            before = self._before[before]
        return before >= 0 and self._matches[before].start >= first

    def at_end(self, number: int) -> bool:
        """Whether nothing follows the cue in its part of the sentence, and a mention precedes it."""
        end = self._matches[number].end
        ended = end >= len(self._words) or self._words[end] in _ENDS
        return ended and self._before[number] >= 0

    def segment_start(self, number: int) -> int:
        """Where the part between commas that holds the last mention before the cue begins."""
        start = self._clause(number)[0]
        mention = self._matches[self._before[number]].start
        comma = bisect_left(self._commas, mention) - 1
        return max(start, self._commas[comma] + 1 if comma >= 0 else 0)

    def backward_start(self, number: int) -> int:
        """The word at which the reach of a backward cue begins."""
        cue = self._matches[number]
        start = self._clause(number)[0]
        first = start
        if cue.value.endswith("around"):
            place = bisect_left(self._explanations, cue.start) - 1
            if place >= 0 and self._explanations[place] > start:
                first = self._explanations[place] + 1
        before = self._before[number]
        if before < 0:
            return first
        comma = bisect_left(self._commas, self._matches[before].start) - 1
        if comma >= 0 and self._commas[comma] > start:
            at = self._commas[comma]
            qualified = bisect_left(self._qualified, start)
            if qualified < len(self._qualified) and self._qualified[qualified] < at:
                first = max(first, at + 1)
        return first

    def forward_end(self, number: int) -> int:
        """The word at which the reach of a forward cue ends."""
        cue = self._matches[number]
        denial, neutral, named = self._next[number]
        end = min(self._clause(number)[1], neutral)
        if cue.value.startswith("negative"):
            # A cue of its own kind begins a new reach; "is not seen" closes this one.
            end = min(end, denial)
        # A list begins with its first member: "no acute, displaced fracture" has but one.
        place = max(bisect_left(self._separators, named), self._next_separator.get(end, 0))
        while place < len(self._separators) and self._separators[place] < end:
            if self._fresh(self._separators[place], end):
                # Cues come in order, so none that ends here looks at an earlier separator.
                self._next_separator[end] = place
                return self._separators[place]
            place += 1
        self._next_separator[end] = place
        return end

    def _fresh(self, position: int, end: int) -> bool:
        """Whether what follows the separator at `position` is no longer part of a list."""
        first = position + 1
        if first >= end:
            return False
        place = bisect_left(self._verbs, first)
        verb = min(self._verbs[place], end) if place < len(self._verbs) else end
        place = bisect_left(self._alternatives, first)
        if place < len(self._alternatives) and self._alternatives[place] < verb:
            return False
        words = self._words
        start = words[first + 1] if words[first] == "and" and first + 1 < end else words[first]
        return start in OPENINGS or verb < end
