# SPDX-License-Identifier: Apache-2.0
"""What a sentence says about the time since the prior image: by words alone, no generator's table."""

import re
from typing import NamedTuple

NEW, RESOLVED = "new", "resolved"
BETTER, SAME, WORSE = "better", "same", "worse"
CODES = {NEW: 1, WORSE: 1, SAME: 0, BETTER: -1, RESOLVED: -1}

# The first that matches counts: "no significant increase" is the same, "partially resolved" better.
_PATTERNS = (
    (
        SAME,
        r"\bunchanged|\bstable\b|\bconstant\b|\bwithout (?:\w+ )?change|\bsimilar\b|\bnot changed",
    ),
    (SAME, r"\bno (?:\w+ ){0,2}(?:change|increase|decrease|progression|improvement)\b"),
    (BETTER, r"\b(?:partial|partially|incomplete|near) (?:\w+ )?(?:resol|clear)\w+"),
    (RESOLVED, r"\bresolved\b|\bresolution of\b|\bno longer\b|\bcleared\b|\bdisappeared\b"),
    (
        NEW,
        r"\bnew\b|\bnewly\b|\bnot (?:seen|present|visible) (?:on|in|at) \w*\s?(?:prior|previous)",
    ),
    (NEW, r"\b(?:has|have) (?:developed|appeared)\b|\binterval development\b"),
    (
        BETTER,
        r"\b(?:decreas|improv|diminish|regress|reduc|reced)\w*|\b(?:smaller|less|lower|better)\b",
    ),
    (WORSE, r"\b(?:increas|wors|progress|enlarg)\w*|\b(?:larger|more|greater|bigger|grown)\b"),
)
_COMPILED = tuple((kind, re.compile(pattern)) for kind, pattern in _PATTERNS)


class Comparison(NamedTuple):
    """What is said: one of the five kinds, and its code: 1 for more, 0 for the same, -1 for less."""

    kind: str
    code: int


def compared(sentence: str) -> Comparison | None:
    """The comparison of a sentence, or None.

    >>> compared("The left effusion has partially resolved.").kind
    'better'
    >>> compared("New right basal consolidation.").code
    1
    >>> compared("Small left effusion.") is None
    True
    """
    lowered = sentence.lower()
    for kind, pattern in _COMPILED:
        if pattern.search(lowered):
            return Comparison(kind, CODES[kind])
    return None
