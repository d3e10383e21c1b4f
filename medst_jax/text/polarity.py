# SPDX-License-Identifier: Apache-2.0
"""Decides for each mention in a sentence whether it is affirmed, denied or doubted."""

from collections.abc import Iterator, Sequence

from medst_jax.text.cues import VERBS
from medst_jax.text.lexicon import Match
from medst_jax.text.reach import Reach

POSITIVE, NEGATIVE, UNCERTAIN = 1, 0, -1

_NEAR = 4  # words between a word about size and the organ it precedes
_AHEAD = 16  # matches behind an organ among which its size is looked for
_ABNORMAL_SIZES = frozenset(("prominent", "prominence", "enlarged", "enlargement", "dilated"))
_VAGUE = (["cardiac"], ["mediastinal"], ["cardiac", "and"])


def polarities(
    words: Sequence[str], matches: Sequence[Match], reached: Reach
) -> Iterator[tuple[str, int]]:
    """Yields (name, code) of the mentions among `matches` in `words`; a name may come twice.

    Args:
      words: of the sentence.
      matches: in it, in order.
      reached: what `reach` says of the words.
    """
    return ((name, code) for _, name, code in placed_polarities(words, matches, reached))


def placed_polarities(
    words: Sequence[str], matches: Sequence[Match], reached: Reach
) -> Iterator[tuple[int, str, int]]:
    """As `polarities`, after the number of the match."""
    denied, doubted, past = reached
    title = _title(words, matches)
    used: set[int] = set()
    unchanged = False  # "no change in edema or effusion" has both
    for index, match in enumerate(matches):
        if match.value == "no cue":
            unchanged = True
        elif match.kind == "anatomy":
            code = _size(words, matches, index, denied, doubted, used)
            if code is not None and not past[match.end - 1]:
                yield index, match.value, code
        elif match.kind in ("mention", "weak"):
            at = match.end - 1
            if past[at]:
                continue
            if index == 0 and title is not None:
                if title != UNCERTAIN:
                    yield index, match.value, title
                continue
            code = NEGATIVE if denied[at] else UNCERTAIN if doubted[at] else POSITIVE
            if code == POSITIVE and match.kind == "weak":
                code = NEGATIVE if _called_normal(matches, index) else UNCERTAIN
            elif code == POSITIVE and not unchanged and _one_of_two(words, matches, index):
                code = UNCERTAIN
            yield index, match.value, code
        elif match.kind == "general" and denied[match.end - 1]:
            yield index, "", NEGATIVE
    for index, match in enumerate(matches):
        word = words[match.end - 1]
        if match.kind == "size" and index not in used and word in _ABNORMAL_SIZES:
            yield index, "", NEGATIVE if denied[match.start] else POSITIVE


def _title(words: Sequence[str], matches: Sequence[Match]) -> int | None:
    """What a title with a colon before a sentence says of the finding that it names.

    Returns:
      NEGATIVE where what follows denies ("Pneumothorax: no acute abnormality"), UNCERTAIN where
      what follows names the finding itself and the title says nothing, None where it is no title.
    """
    first = matches[0] if matches else None
    if first is None or first.kind != "mention" or words[first.end : first.end + 1] != [":"]:
        return None
    if any(match.value == first.value for match in matches[1:]):
        return UNCERTAIN
    if any(match.kind == "mention" for match in matches[1:]):
        return None
    after = next((match for match in matches if match.start == first.end + 1), None)
    return NEGATIVE if after is not None and after.value == "negative forward" else None


def _called_normal(matches: Sequence[Match], index: int) -> bool:
    """Whether the next thing said behind a mention is that it is normal."""
    following = matches[index + 1] if index + 1 < len(matches) else None
    return following is not None and following.kind == "size" and following.value == "normal"


def _one_of_two(words: Sequence[str], matches: Sequence[Match], index: int) -> bool:
    """Whether a mention is joined to another by "or": one of the two, and unsure which."""
    match = matches[index]
    for other in (*matches[max(index - 1, 0) : index], *matches[index + 1 : index + 2]):
        if other.kind == "mention" and other.value != match.value:
            first, last = (other, match) if other.start < match.start else (match, other)
            if last.start - first.end <= 3 and "or" in words[first.end : last.start]:
                return True
    return False


def _size(
    words: Sequence[str],
    matches: Sequence[Match],
    index: int,
    denied: Sequence[bool],
    doubted: Sequence[bool],
    used: set[int],
) -> int | None:
    """Returns the code of a mention of an organ, None when nothing is said about its size."""
    chosen = _size_word(words, matches, index)
    if chosen is None:
        return None
    used.add(chosen)
    size, organ = matches[chosen], matches[index]
    at = size.end - 1
    if size.value == "enlarged":
        return NEGATIVE if denied[at] else UNCERTAIN if doubted[at] else POSITIVE
    if size.value == "borderline":
        return UNCERTAIN
    if size.value in ("stable", "no cue"):
        # As large as before, and nobody says how large that is.
        vague = words[organ.start : organ.end] in _VAGUE
        return None if vague or organ.value != "Cardiomegaly" else UNCERTAIN
    return NEGATIVE


def _size_word(words: Sequence[str], matches: Sequence[Match], index: int) -> int | None:
    """Returns the index of the size word that belongs to the organ `matches[index]`."""
    organ = matches[index]
    steady = None
    for other in range(index - 1, -1, -1):
        match = matches[other]
        if organ.start - match.end > _NEAR:
            break
        if match.kind == "size":
            gap = words[match.end : organ.start]
            if all(word not in (",", "and", "with") and word not in VERBS for word in gap):
                if match.value != "stable":
                    return other
                steady = other
        if match.kind != "anatomy":
            break
    for other in range(index + 1, min(index + 1 + _AHEAD, len(matches))):
        match = matches[other]
        if match.value in ("stable", "no cue"):
            steady = other if steady is None else steady  # "stable and enlarged" says more
        elif match.kind == "size":
            return other
        elif steady is not None and match.kind in ("mention", "weak", "anatomy"):
            return steady
        if match.kind == "mention" and match.value not in ("", organ.value):
            return None
        if match.value == "break" and not (words[match.start] == ":" and match.start == organ.end):
            return steady
    return steady
