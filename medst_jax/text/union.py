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
from typing import Any

from medst_jax.text import cues, mentions
from medst_jax.text.labeler import OTHER, label_words, merge_labels, with_no_finding
from medst_jax.text.lexicon import Lexicon
from medst_jax.text.polarity import NEGATIVE, polarities
from medst_jax.text.sections import split_sections
from medst_jax.text.sentences import split_sentences
from medst_jax.text.words import SILENT_SECTIONS, split_words

_FILE = Path(__file__).with_name("lexicons") / "union.json"
_CONTENT: Mapping[str, Any] = json.loads(_FILE.read_text(encoding="utf-8"))
_PHRASES = {name: tuple(entry["phrases"]) for name, entry in _CONTENT["classes"].items()}
_IMPLIES = {name: tuple(entry.get("implies", ())) for name, entry in _CONTENT["classes"].items()}
_SAME: Mapping[str, str] = _CONTENT["same"]
_HARMLESS = frozenset(_CONTENT["harmless"])
_NO_FINDING = mentions.NO_FINDING.lower()

UNION: tuple[str, ...] = tuple(
    sorted({*(name.lower() for name in mentions.FINDINGS), *_PHRASES, *_SAME})
)
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
    "no finding" is 1 when nothing but devices, remnants of surgery and remarks on the study is
    positive or uncertain.

    >>> label_union("FINDINGS: Tortuous aorta. No laminar atelectasis or scoliosis.")
    {'aortic elongation': 1, 'atelectasis': 0, 'laminar atelectasis': 0, 'scoliosis': 0}
    """
    named: dict[str, int] = {}
    more: dict[str, int] = {}
    for title, text in split_sections(report):
        if title not in SILENT_SECTIONS:
            for start, end in split_sentences(text):
                words = split_words(text[start:end])
                merge_labels(named, label_words(words))
                merge_labels(more, _more(words))
    codes = {name.lower(): code for name, code in with_no_finding(named).items()}
    merge_labels(codes, more)
    if any(code != NEGATIVE and name not in _HARMLESS for name, code in more.items()):
        codes.pop(_NO_FINDING, None)
    return _in_order(codes) if report.strip() else {}


def label_union_sentence(sentence: str) -> dict[str, int]:
    """What one sentence says of the classes of `UNION`: 1 affirmed, 0 denied, -1 doubted.

    >>> label_union_sentence("No scoliosis, but possible laminar atelectasis.")
    {'atelectasis': -1, 'laminar atelectasis': -1, 'scoliosis': 0}
    """
    words = split_words(sentence)
    codes = {name.lower(): code for name, code in label_words(words).items()}
    merge_labels(codes, _more(words))
    return _in_order(codes)


def _in_order(codes: Mapping[str, int]) -> dict[str, int]:
    """Codes under every name that a class has, in the order of `UNION`."""
    known = (name for name in UNION if _SAME.get(name, name) in codes)
    return {name: codes[_SAME.get(name, name)] for name in known}


def _more(words: Sequence[str]) -> dict[str, int]:
    """Codes of the classes beyond the 14, and of those that they imply."""
    found = _LEXICON.find(words)
    codes: dict[str, int] = {}
    if not any(match.value in _PHRASES for match in found):
        return codes  # as in most sentences: what the rest means is of no matter here
    for name, code in polarities(words, found):
        if name in _PHRASES:
            merge_labels(codes, {name: code})
            if code != NEGATIVE:
                merge_labels(codes, dict.fromkeys(_IMPLIES[name], code))
    return codes
