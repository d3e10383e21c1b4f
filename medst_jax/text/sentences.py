# SPDX-License-Identifier: Apache-2.0
"""Finds the sentences of report text."""

from __future__ import annotations

import re

from medst_jax.text.line_ends import sentence_ends
from medst_jax.text.shorthand import ANSWERED

# An abbreviation, or an initial: the sentence goes on.
_ABBREVIATION = re.compile(
    r"dr|pt|mr|mrs|ms|prof|st|vs|approx|ca|cf|e\.g|i\.e|eg|ie|fig|nr|resp|incl|ant|post|lat"
    r"|sup|inf|al|poss|prob|susp|quest|equiv|mod|bilat|pulm|evid|mediast|vasc|[a-z]"
)
# Units and "etc." end a sentence unless it visibly goes on in lower case.
_TIME = re.compile(r"[ap]\.m")
_UNIT = re.compile(
    r"etc|cm|mm|ml|mg|kg|hr|hrs|min|yr|yrs|neg|pos|sig|unch|incr|decr"
    r"|eff|effs|consol|opac|infilt|atel|fx"
)

_LONGEST_ABBREVIATION = 6
_LOOK_BACK = 40  # characters in which the word before a full stop lies

_STOP = re.compile(r"[.!?]+[\"')\]]*")
_BREAK = re.compile(
    r"\r?\n[ \t]*\r?\n|\r[ \t]*\r(?!\n)|[\r\n](?=[ \t]*(?:\d{1,2}[.)]|[-*\u2022])[ \t])"
)
_LIST_MARK = re.compile(r"\s*(?:(?:\d{1,2}[.)]|[-*\u2022])\s+)?")


def split_sentences(text: str) -> list[tuple[int, int]]:
    """Character spans [start, end) of the sentences, without surrounding white space.

    Abbreviations, initials and decimals do not end a sentence; list numbers and bullets begin a
    new one and are left out of it; an empty line or a list item ends one without a full stop,
    and so does a line of its own for each finding, but not a line that was wrapped.

    >>> text = "Heart 2.5 cm wider vs. prior. 1. No effusion."
    >>> [text[a:b] for a, b in split_sentences(text)]
    ['Heart 2.5 cm wider vs. prior.', 'No effusion.']
    """
    spans = []
    start = 0
    ends = {*(match.start() for match in _BREAK.finditer(text)), *sentence_ends(text), len(text)}
    for block_end in sorted(ends):
        for stop in _STOP.finditer(text, start, block_end):
            if _ends_sentence(text, start, stop):
                spans.append((start, stop.end()))
                start = stop.end()
        spans.append((start, block_end))
        start = block_end
    trimmed = (_trim(text, *span) for span in spans)
    return [(a, b) for a, b in trimmed if any(c.isalnum() or c == "_" for c in text[a:b])]


def _ends_sentence(text: str, start: int, stop: re.Match[str]) -> bool:
    before = text[max(start, stop.start() - _LOOK_BACK) : stop.start()]
    after = text[stop.end() : stop.end() + 2]
    if stop[0][:2] in ("?", "..") and ANSWERED.match(text, stop.end()):
        return False
    if stop[0] == "?" and after and (not before.strip() or before[-1].isspace()):
        return False  # "?Pneumonia", "? effusion"
    if stop[0] != ".":
        return not after or after[0].isspace() or after[0].isupper()
    if after and not after[0].isspace():
        # "clear.No effusion" lacks a space; "2.5" and "e.g." are inside a word.
        return before[-2:].isalpha() and before[-1:].islower() and after[0].isupper()
    blank = max(before.rfind(" "), before.rfind("\n"), before.rfind("\t"))
    word = before[blank + 1 :].lstrip("(").lower()
    if len(word) > _LONGEST_ABBREVIATION:
        return True
    if _ABBREVIATION.fullmatch(word):
        return False
    if word.isdigit() and not before[: blank + 1].strip():
        return False
    if word == "no":  # "Pneumothorax: No." ends one, "Film no. 5" does not
        return not text[stop.end() :].lstrip()[:1].isdigit()
    if not (_TIME.fullmatch(word) or _UNIT.fullmatch(word)):
        return True
    following = text[stop.end() :].lstrip()[:1]
    if _TIME.fullmatch(word):
        return not following or following.isupper()
    return not following or not following.islower()


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    mark = _LIST_MARK.match(text, start, end)
    start = mark.end() if mark else start
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end
