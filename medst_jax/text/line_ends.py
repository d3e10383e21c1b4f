# SPDX-License-Identifier: Apache-2.0
"""Which line ends of a report end a sentence: one finding a line, or a line that was wrapped."""

import itertools
import re
from collections.abc import Iterator

from medst_jax.text.cues import DEGREES, VERBS
from medst_jax.text.finding_lexicon import LEXICON
from medst_jax.text.words import split_words

_LINE = re.compile(r"[^\r\n]+")
_WRAPPED_FROM = 40  # characters of the longest line from which on lines may have been wrapped
_LINKS = frozenset(
    (
        *("of", "in", "on", "at", "to", "for", "from", "by", "with", "without", "and", "or", "nor"),
        *("versus", "vs", "than", "as", "which", "that", "who", "into", "over", "near", "along"),
        *("within", "between", "under", "above", "below", "per", "via", "due", "than", "through"),
        *("but", "although", "though", "while", "whereas", "if", "because", "since", "is", "are"),
        *("was", "were", "be", "been", "being", "has", "have", "had", "may", "might", "could"),
        *("can", "cannot", "would", "should", "will", "not", "also", "there", "this", "these"),
    )
)
# A line that ends so goes on in the next.
_UNFINISHED = (
    _LINKS
    | DEGREES
    | frozenset(
        (
            *("no", "any", "its", "their", "his", "her", "patient's", "new", "possible", "likely"),
            *("probable", "acute", "focal", "pleural", "pulmonary", "upper", "lower", "middle"),
            *("mid", "both", "either", "neither", "very", "more", "less", "most", "suspected"),
            *("evidence", "suggest", "suggests", "probably", "possibly", "questionable", "known"),
            *("dr", "mr", "mrs", "ms", "large", "subtle", "definite", "obvious", "significant"),
            *("previously", "again", "now", "only", "normal", "abnormal", "nearly", "almost"),
            *("showing", "shows", "demonstrates", "consistent", "compatible", "includes"),
        )
    )
    - {"unchanged", "stable", "worsened", "improved", "increased"}
)
# And a line that begins so continues the one before.
_CONTINUING = (
    _LINKS - {"there", "this", "these"}
    | VERBS
    | frozenset(("seen", "noted", "identified", "present"))
)


def sentence_ends(text: str) -> Iterator[int]:
    """Yields the places of the line ends that end a sentence without a full stop."""
    if "\n" not in text and "\r" not in text:
        return
    lines = [(m.start(), m.end()) for m in _LINE.finditer(text) if not m[0].isspace()]
    width = max((len(text[a:b].rstrip()) for a, b in lines), default=0)
    for (start, end), (following, following_end) in itertools.pairwise(lines):
        line, more = text[start:end].rstrip(), text[following:following_end].strip()
        opening = more.split(maxsplit=1)[0]
        if width >= _WRAPPED_FROM and len(line) + 1 + len(opening) > width:
            continue  # the next word had no room
        if _finished(line) and _begins(line, more, opening):
            yield end


def _finished(line: str) -> bool:
    words = line.split()
    word = words[-1].lower()
    return word[-1] not in ",;:-/(&" and word not in _UNFINISHED


def _begins(line: str, more: str, opening: str) -> bool:
    """Whether the next line begins a sentence: by a capital, or as both lines name a finding."""
    if (
        opening.lower().strip(",.;:()") in _CONTINUING
        or not opening[0].isalnum()
        and opening[0] not in "([?+-_"
    ):
        return False
    if opening[0].isupper() and not line.isupper():
        return True
    return _complete(line) and _complete(more)


def _complete(line: str) -> bool:
    """Whether a line says something of a finding and ends with it or with what is said of it."""
    words = split_words(line)
    while words and words[-1] in ",;:":
        words.pop()
    matches = LEXICON.find(words)
    kinds = {match.kind for match in matches}
    named = "mention" in kinds or "weak" in kinds or "general" in kinds
    named = named or ("size" in kinds and "anatomy" in kinds) or {"structure", "well"} <= kinds
    return named and len(words) > 0 and (matches[-1].end == len(words) or len(words) > 1)
