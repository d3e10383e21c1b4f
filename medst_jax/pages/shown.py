# SPDX-License-Identifier: Apache-2.0
"""Text from elsewhere (names, reports, paths) as it may stand on a page or in a figure."""

from __future__ import annotations

import math
import re
from typing import Any

# Control characters, and those that turn the order of what follows around; a name that is written
# from right to left needs none of them.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]"
)
_HALVES = re.compile("[\ud800-\udfff]")


def plain(value: Any) -> str:
    """A value as text: without characters that cannot be seen, halves of characters replaced."""
    return _HALVES.sub("\ufffd", _UNSEEN.sub("", str(value)))


def short(value: Any, longest: int = 36) -> str:
    """A name on one line of a figure; a longer one ends in an ellipsis.

    >>> short("Atelectasis, or a part of it that cannot be told apart")
    'Atelectasis, or a part of it that c…'
    """
    text = " ".join(plain(value).split())
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def number(value: Any) -> str:
    """A value of a table: numbers short, truth as yes or no, nothing as a dash.

    >>> number(1234), number(0.12345), number(None), number(True), number(float("nan"))
    ('1,234', '0.123', '–', 'yes', 'n/a')
    """
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    if isinstance(value, float):
        if not math.isfinite(value):
            return "n/a"
        return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def probability(value: float) -> str:
    """A p-value, never as zero.

    >>> probability(0.03), probability(0.00001)
    ('0.0300', 'below 0.0001')
    """
    return "below 0.0001" if value < 1e-4 else f"{value:.4f}"
