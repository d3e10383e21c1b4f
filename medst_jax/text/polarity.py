# SPDX-License-Identifier: Apache-2.0
"""Decides for each mention in a sentence whether it is affirmed, denied or doubted."""

import itertools
from collections.abc import Iterator, Sequence

from medst_jax.text.cues import ALTERNATIVES, DEGREES, EXPLANATIONS, OPENINGS, SEPARATORS, VERBS
from medst_jax.text.lexicon import Match

POSITIVE, NEGATIVE, UNCERTAIN = 1, 0, -1

_NAMED = ("mention", "weak", "anatomy")
_NEAR = 4  # words between a word about size and the organ it precedes
_ABNORMAL_SIZES = frozenset(("prominent", "prominence", "enlarged", "enlargement", "dilated"))


def polarities(words: Sequence[str], found: Sequence[Match]) -> Iterator[tuple[str, int]]:
    """Yields (name, code) of the mentions among `found` in `words`; a name may come twice."""
    if not found:
        return
    denied, doubted = reach(words, found)
    used: set[int] = set()
    for index, match in enumerate(found):
        if match.kind == "anatomy":
            code = _size(words, found, index, denied, doubted, used)
            if code is not None:
                yield match.value, code
        elif match.kind in ("mention", "weak"):
            at = match.end - 1
            code = NEGATIVE if denied[at] else UNCERTAIN if doubted[at] else POSITIVE
            if code == POSITIVE and (match.kind == "weak" or _one_of_two(words, found, index)):
                code = UNCERTAIN
            yield match.value, code
    for index, match in enumerate(found):
        word = words[match.end - 1]
        if match.kind == "size" and index not in used and word in _ABNORMAL_SIZES:
            yield "", NEGATIVE if denied[match.start] else POSITIVE


def reach(words: Sequence[str], found: Sequence[Match]) -> tuple[list[bool], list[bool]]:
    """Returns for each word whether it is denied and whether it is doubted."""
    denied, doubted = [False] * len(words), [False] * len(words)
    clauses = _clauses(words, found)
    for match in found:
        if match.kind != "cue":
            continue
        polarity, _, direction = match.value.partition(" ")
        if polarity not in ("negative", "uncertain"):
            continue
        marks = denied if polarity == "negative" else doubted
        first = _backward(words, found, match, clauses)
        if direction == "nearest":
            mentioned = any(m.kind == "mention" and first <= m.start < match.start for m in found)
            direction = "backward" if mentioned else "forward"
        if direction in ("backward", "around"):
            for position in range(first, match.start):
                marks[position] = True
        if direction in ("forward", "around"):
            for position in range(match.end, _forward(words, found, match, clauses)):
                marks[position] = True
    return denied, doubted


def _clauses(words: Sequence[str], found: Sequence[Match]) -> list[int]:
    """Returns the number of its clause for each word."""
    starts = {m.start for m in found if m.value == "break"}
    if not starts:
        return [0] * len(words)
    return list(itertools.accumulate(position in starts for position in range(len(words))))


def _forward(
    words: Sequence[str], found: Sequence[Match], cue: Match, clauses: Sequence[int]
) -> int:
    """Returns the word at which the reach of a forward cue ends."""
    end = cue.end
    while end < len(words) and clauses[end] == clauses[cue.start]:
        end += 1
    negative = cue.value.startswith("negative")
    stops = [
        m.start
        for m in found
        if m.start >= cue.end
        and (
            # A cue of its own kind begins a new reach; "is not seen" closes this one.
            (m.kind == "cue" and negative and m.value.startswith("negative"))
            or (m.kind == "cue" and m.value == "no cue")
        )
    ]
    end = min([end, *stops])
    # A list begins with its first member: "no acute, displaced fracture" has but one.
    first = min((m.end for m in found if m.kind in _NAMED and m.start >= cue.end), default=end)
    for position in range(first, end):
        if words[position] in SEPARATORS and _fresh(words, position, end):
            return position
    return end


def _fresh(words: Sequence[str], position: int, end: int) -> bool:
    """Whether what follows the separator at `position` is no longer part of a list."""
    rest = words[position + 1 : end]
    if not rest:
        return False
    verb = next((k for k, word in enumerate(rest) if word in VERBS), len(rest))
    if any(word in ALTERNATIVES for word in rest[:verb]):
        return False
    start = rest[1] if rest[0] == "and" and len(rest) > 1 else rest[0]
    return start in OPENINGS or verb < len(rest)


def _backward(
    words: Sequence[str], found: Sequence[Match], cue: Match, clauses: Sequence[int]
) -> int:
    """Returns the word at which the reach of a backward cue begins."""
    start = cue.start
    while start > 0 and clauses[start - 1] == clauses[cue.start]:
        start -= 1
    for position in range(cue.start - 1, start, -1):
        if cue.value.endswith("around") and words[position] in EXPLANATIONS:
            return position + 1
        if words[position] == "," and any(
            m.kind in ("mention", "weak") and position < m.start < cue.start for m in found
        ):
            before = words[start:position]
            if any(word in VERBS or word in DEGREES for word in before):
                return position + 1
    return start


def _one_of_two(words: Sequence[str], found: Sequence[Match], index: int) -> bool:
    """Whether a mention is joined to another by "or": one of the two, and unsure which."""
    match = found[index]
    if any(other.value == "no cue" for other in found[:index]):
        return False  # "no change in edema or effusion" has both
    for other in (*found[max(index - 1, 0) : index], *found[index + 1 : index + 2]):
        if other.kind == "mention" and other.value != match.value:
            first, last = sorted((match, other))
            if "or" in words[first.end : last.start] and last.start - first.end <= 3:
                return True
    return False


def _size(
    words: Sequence[str],
    found: Sequence[Match],
    index: int,
    denied: Sequence[bool],
    doubted: Sequence[bool],
    used: set[int],
) -> int | None:
    """Returns the code of a mention of an organ, None when nothing is said about its size."""
    chosen = _size_word(words, found, index)
    if chosen is None:
        return None
    used.add(chosen)
    size, organ = found[chosen], found[index]
    at = size.end - 1
    if size.value == "enlarged":
        return NEGATIVE if denied[at] else UNCERTAIN if doubted[at] else POSITIVE
    if size.value == "borderline":
        return UNCERTAIN
    vague = words[organ.start : organ.end] in (["cardiac"], ["mediastinal"], ["cardiac", "and"])
    if size.value in ("stable", "no cue") and vague:
        return None
    return NEGATIVE


def _size_word(words: Sequence[str], found: Sequence[Match], index: int) -> int | None:
    """Returns the index of the size word that belongs to the organ `found[index]`."""
    organ = found[index]
    for other in range(index - 1, -1, -1):
        match = found[other]
        gap = words[match.end : organ.start]
        if match.kind == "size":
            joined = all(word not in (",", "and", "with") and word not in VERBS for word in gap)
            if len(gap) <= _NEAR and joined:
                return other
        if match.kind != "anatomy":
            break
    for other in range(index + 1, len(found)):
        match = found[other]
        if match.kind == "size" or match.value == "no cue":
            return other
        if match.kind == "mention" and match.value not in ("", found[index].value):
            return None
        if match.kind == "cue" and match.value == "break":
            return None
    return None
