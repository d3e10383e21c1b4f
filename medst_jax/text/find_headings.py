# SPDX-License-Identifier: Apache-2.0
"""Finds the headings in the text of a report."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from medst_jax.text.headings import (
    BARE,
    LINKS,
    READING,
    STRONG,
    VOCABULARY,
    like_heading,
    names_organ,
    normal_name,
)

_LONGEST = 64  # characters of a heading
_MARKUP = "*#_[]<>= \t-"
_STOPS = ".!?;:|_"
# A title of a reading begins a line or a sentence.
_READING_TITLE = re.compile(
    rf"(?:^|(?<=[.!?_]))[ \t*#_\[(=-]*(?P<title>{READING})(?![A-Za-z])[ \t*_\])=-]*(?P<colon>:?)",
    re.MULTILINE | re.IGNORECASE,
)
_COLON = re.compile(r"(?<=[A-Za-z)\]*_ \t]):[*_]*")
_RUN = re.compile(r"[A-Za-z][A-Za-z()/&' \t*_\]-]*\Z")  # what may be a heading before a colon
_CAPITALS = re.compile(r"[A-Z][A-Z /&-]{2,40}[A-Z]")
_TOKEN = re.compile(r"[A-Za-z][A-Za-z()']*")
# What stands before "findings" and its like in a sentence that goes on.
_SENTENCE_GOES_ON = re.compile(
    r"(?:\b(?:no|the|these|those|other|acute|significant|additional|following|new|such|any|above"
    r"|abnormal|associated|similar|of|in|with|and|or|for|a|an|this|by|radiographic|my|our|key|to"
    r"|positive|negative|incidental|chronic|clinical|from|prior|previous)|[/&-])[ \t]*\Z",
    re.IGNORECASE,
)
# Without a colon: alone on a line, before a dash, or in capitals before words that are in none.
_LINE = re.compile(r"^[ \t*#_\[=-]*([A-Za-z][A-Za-z()/&' -]{2,60}?)[ \t*_\]=-]*$", re.MULTILINE)
_DASHED = re.compile(
    r"(?:^|(?<=[.!?]))[ \t*#]*([A-Za-z][A-Za-z()/&' ]{2,40}?)[ \t]+[-\u2013\u2014]+[ \t]+(?=\S)",
    re.MULTILINE,
)
_BEFORE_TEXT = re.compile(
    r"(?:^|(?<=[.!?]))[ \t]*(?P<capitals>(?:[A-Z][A-Z()/&]+[ \t]+){1,5})(?=[A-Z]?[a-z]|\d|_)"
    r"|(?:^|(?<=[.!?]))[ \t]*(?P<title>[A-Z][a-z]+)(?:\.(?=\s)|[ \t]+(?=[A-Z][a-z]))",
    re.MULTILINE,
)


# What the last of these would find, without a colon.
_FOLLOWED = re.compile(
    r"\b(?:"
    + "|".join(sorted(name for word in BARE for name in (word, word.title())))
    + r")(?=[ \t.])"
)


class Heading(NamedTuple):
    """Characters [start, end) of a heading with its colon, and its name in capitals."""

    start: int
    end: int
    name: str


def find_headings(text: str) -> list[Heading]:
    """The headings in their order, none overlapping; see `split_sections` for what counts as one."""
    titles = list(_reading_titles(text))
    candidates = [*titles, *_before_colons(text, titles), *_without_colon(text)]
    headings: list[Heading] = []
    for heading in sorted(candidates, key=lambda heading: (heading.start, -heading.end)):
        if not headings or heading.start >= headings[-1].end:
            headings.append(heading)
    return headings


def _reading_titles(text: str) -> Iterator[Heading]:
    """WET READ, FINAL REPORT, ADDENDUM: with a colon, in capitals, or alone on a line."""
    small = text.lower()
    if not any(part in small for part in ("addend", "wet", "prelim", "final")):
        return
    for match in _READING_TITLE.finditer(text):
        title = match["title"]
        alone = text[match.end() : match.end() + 1] in ("", "\n")
        if match["colon"] or alone or title.upper() == title:
            yield Heading(match.start(), match.end(), normal_name(title))


def _before_colons(text: str, titles: list[Heading]) -> Iterator[Heading]:
    titled = {title.end: title for title in titles}
    last = 0
    for colon in _COLON.finditer(text):
        low = max([last, colon.start() - _LONGEST, *(e for e in titled if e <= colon.start())])
        run = _RUN.search(text[low : colon.start()])
        if run is None:
            continue
        begin = low + run.start()
        before = text[max(begin - _LONGEST, 0) : begin].rstrip(_MARKUP)
        at_line = before[-1:] in ("", "\n")
        at_start = at_line or before[-1] in _STOPS or low in titled
        heading = _heading_in(run[0], at_start, at_line)
        if heading is None:
            continue
        offset, name = heading
        start = begin + offset
        if low in titled and offset == 0 and "\n" not in text[low:begin]:
            start, name = titled[low].start, f"{titled[low].name} {name}"
        elif offset == 0:
            start = max(low, begin - len(text[low:begin]) + len(text[low:begin].rstrip(_MARKUP)))
        yield Heading(start, colon.end(), name)
        last = colon.end()


@lru_cache(maxsize=4096)
def _heading_in(run: str, at_start: bool, at_line: bool) -> tuple[int, str] | None:
    """Where in the words before a colon the heading begins, and its name."""
    name = run.strip(_MARKUP)
    if at_start and like_heading(name):
        return 0, normal_name(name)
    if at_line and _CAPITALS.fullmatch(name) and not names_organ(name):
        return 0, normal_name(name)
    return _heading_inside(run)


def _heading_inside(run: str) -> tuple[int, str] | None:
    """The same where the words before the heading are of the sentence before it."""
    tokens = list(_TOKEN.finditer(run))
    first = len(tokens)
    while first > 0 and tokens[first - 1][0].upper().rstrip("()") in VOCABULARY:
        token = tokens[first - 1][0]
        small = token[0].islower() and token.upper() not in LINKS
        if first < len(tokens) and small and tokens[first][0][0].isupper():
            break
        first -= 1
    while first < len(tokens) and tokens[first][0].upper() in LINKS:
        first += 1
    if first == len(tokens):
        return None
    if not tokens[first][0][0].isupper():
        first = len(tokens) - 1
        if tokens[first][0].upper() not in STRONG:
            return None
    start = tokens[first].start()
    name = run[start:].strip(_MARKUP)
    if not like_heading(name) or (name.upper() != name and _SENTENCE_GOES_ON.search(run[:start])):
        return None
    return start, normal_name(name)


def _without_colon(text: str) -> Iterator[Heading]:
    if "\n" in text:
        for match in _LINE.finditer(text):
            before = text[: match.start()].rstrip(" \t\n")
            blank = not before or text[len(before) : match.start()].count("\n") > 1
            small = match[1] == match[1].lower()
            if like_heading(match[1], bare=True) and (
                not small or blank or before[-1] in _STOPS or before.endswith("\n")
            ):
                yield Heading(match.start(), match.end(), normal_name(match[1]))
    if " - " in text or "\u2013" in text or "\u2014" in text:
        for match in _DASHED.finditer(text):
            if like_heading(match[1], bare=True):
                yield Heading(match.start(), match.end(), normal_name(match[1]))
    if _FOLLOWED.search(text) is None:
        return
    for match in _BEFORE_TEXT.finditer(text):
        if match["title"]:
            if match["title"].upper() in STRONG:
                yield Heading(match.start(), match.end(), normal_name(match["title"]))
            continue
        words = match["capitals"].split()
        for count in range(len(words), 0, -1):
            name = " ".join(words[:count])
            if like_heading(name, bare=True):
                end = match.start("capitals") + _length(match["capitals"], count)
                yield Heading(match.start(), end, normal_name(name))
                break


def _length(text: str, count: int) -> int:
    """Characters of the first `count` words of a text."""
    return [word.end() for word in re.finditer(r"\S+", text)][count - 1]
