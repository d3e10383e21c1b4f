# SPDX-License-Identifier: Apache-2.0
"""Labels reports with 85 classes: the 14 observations and 71 more, most of them PadChest's.

The union vocabulary of "A Reality Check of Vision-Language Pre-training in Radiology"
(arXiv:2504.05227). The 14 are labelled as by `label_findings`, under their names in lower case; the
others by phrases of `lexicons/union.json`, with the same cues and reaches. A class may imply
others there ("laminar atelectasis" is an atelectasis), unless it is denied.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from medst_jax.text import cues, mentions
from medst_jax.text.finding_lexicon import LEXICON
from medst_jax.text.labeler import label_words
from medst_jax.text.lexicon import Lexicon
from medst_jax.text.no_finding import NO_FINDING, OTHER, says_no_finding
from medst_jax.text.normal import KINDS
from medst_jax.text.polarity import NEGATIVE, POSITIVE, placed_polarities, polarities
from medst_jax.text.reach import reach
from medst_jax.text.reading import merge_labels, read_report
from medst_jax.text.words import split_words

_FILE = Path(__file__).with_name("lexicons") / "union.json"
_CONTENT: Mapping[str, Any] = json.loads(_FILE.read_text(encoding="utf-8"))
_PHRASES = {name: tuple(entry["phrases"]) for name, entry in _CONTENT["classes"].items()}
_IMPLIES = {name: tuple(entry.get("implies", ())) for name, entry in _CONTENT["classes"].items()}
_SAME: Mapping[str, str] = _CONTENT["same"]

UNION: tuple[str, ...] = tuple(
    sorted({*(name.lower() for name in mentions.FINDINGS), *_PHRASES, *_SAME})
)
DUPLICATES: frozenset[str] = frozenset(_SAME)  # further names of other classes
_taken = frozenset(phrase for phrases in _PHRASES.values() for phrase in phrases)


def _rest(phrases: Iterable[str]) -> tuple[str, ...]:
    return tuple(phrase for phrase in phrases if phrase not in _taken)


# The phrases of the 14 are there too: they bound how far a cue reaches.
_LEXICON = Lexicon(
    {
        "mention": {
            **{name: _rest(phrases) for name, phrases in mentions.MENTIONS.items()},
            **_PHRASES,
            OTHER: _rest(mentions.OTHERS),
        },
        "weak": {name: _rest(phrases) for name, phrases in mentions.WEAK_MENTIONS.items()},
        "anatomy": mentions.ANATOMY,
        "ignored": {"": _rest(mentions.IGNORED)},
        "size": cues.SIZES,
        "cue": cues.CUES,
    }
)


def label_union(report: str) -> dict[str, int]:
    """The classes of a report: name -> 1 positive, 0 negative, -1 uncertain; absent = unmentioned.

    Names are those of `UNION`, in its order. Sections and sentences count as in `label_findings`.
    For "no finding" devices, remnants of surgery and remarks on the study count as harmless.

    >>> label_union("FINDINGS: Tortuous aorta. No laminar atelectasis or scoliosis.")
    {'aortic elongation': 1, 'atelectasis': 0, 'laminar atelectasis': 0, 'scoliosis': 0}
    """
    return with_no_finding(read_report(report, _label))


def with_no_finding(codes: Mapping[str, int]) -> dict[str, int]:
    """Labels of a text under every name that a class has, with "no finding" where it holds.

    Args:
      codes: all that the text says; "" is an abnormality that no class names.
    """
    labels = {name: code for name, code in codes.items() if name != OTHER}
    if says_no_finding(codes):
        labels[NO_FINDING.lower()] = POSITIVE
    return _in_order(labels)


def label_union_sentence(sentence: str) -> dict[str, int]:
    """What one sentence says of the classes of `UNION`: 1 affirmed, 0 denied, -1 doubted.

    "" stands for an abnormality outside the 14 observations, as in `label_sentence`.

    >>> label_union_sentence("No scoliosis, but possible laminar atelectasis.")
    {'atelectasis': -1, 'laminar atelectasis': -1, 'scoliosis': 0, '': 0}
    """
    codes = _label(sentence)
    return {**_in_order(codes), **({OTHER: codes[OTHER]} if OTHER in codes else {})}


class Mention(NamedTuple):
    """A class, what is said of it, and the place of the last word that says so."""

    name: str
    code: int
    at: int


def find_mentions(words: Sequence[str]) -> tuple[list[Mention], list[int]]:
    """Where a sentence mentions classes, in its order, and where its clauses begin.

    Args:
      words: of the sentence, as `split_words` has split it.

    Returns:
      the mentions, one of each class that a phrase stands for or implies; and the words at which
      a clause after the first begins.
    """
    every = LEXICON.find(words)
    matches = [match for match in every if match.kind not in KINDS]
    more = _LEXICON.find(words)
    named = [
        Mention(name.lower(), code, matches[number].end - 1)
        for number, name, code in placed_polarities(words, matches, reach(words, matches))
    ]
    for number, name, code in placed_polarities(words, more, reach(words, more)):
        if name in _PHRASES:
            implied = _IMPLIES[name] if code != NEGATIVE else ()
            named += [Mention(one, code, more[number].end - 1) for one in (name, *implied)]
    clauses = sorted({match.start for match in matches if match.value == "break"})
    return sorted(named, key=lambda mention: mention.at), clauses


def _label(sentence: str) -> dict[str, int]:
    words = split_words(sentence)
    codes = {name.lower(): code for name, code in label_words(words).items()}
    merge_labels(codes, _more(words))
    return codes


def _in_order(codes: Mapping[str, int]) -> dict[str, int]:
    """Codes under every name that a class has, in the order of `UNION`."""
    known = (name for name in UNION if _SAME.get(name, name) in codes)
    return {name: codes[_SAME.get(name, name)] for name in known}


def _more(words: Sequence[str]) -> dict[str, int]:
    """Codes of the classes beyond the 14, and of those that they imply."""
    matches = _LEXICON.find(words)
    codes: dict[str, int] = {}
    if not any(match.value in _PHRASES for match in matches):
        return codes  # as in most sentences: what the rest means is of no matter here
    for name, code in polarities(words, matches, reach(words, matches)):
        if name in _PHRASES:
            merge_labels(codes, {name: code})
            if code != NEGATIVE:
                merge_labels(codes, dict.fromkeys(_IMPLIES[name], code))
    return codes
