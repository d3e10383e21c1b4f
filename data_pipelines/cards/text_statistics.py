# SPDX-License-Identifier: Apache-2.0
"""What the reports of a data set are like, in numbers that hold no text.

The same function measured the real reports of Open-i, whose figures `open_i_text.json` holds
(`experiments/labeler/open_i_text.py` writes it), so that simulated text can be set beside real text.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from medst_jax.data_pipelines.cards.place_statistics import place_statistics
from medst_jax.text.headings import is_silent
from medst_jax.text.labeler import label_sentence
from medst_jax.text.sentences import split_sentences

REFERENCE = Path(__file__).with_name("open_i_text.json")
SECTIONS = ("INDICATION", "COMPARISON", "FINDINGS", "IMPRESSION")
VOCABULARY_AT = 20_000  # words read before kinds of words are counted: they grow with the text
_WORD = re.compile(r"[A-Za-z]+(?:['-][A-Za-z]+)*|_+|\d+(?:\.\d+)?")

Report = Sequence[tuple[str, str]]


def text_statistics(reports: Iterable[Report]) -> dict[str, Any]:
    """Statistics of reports, each a list of (section, text).

    Words per section (quartiles, over reports that have it), sentences per report and words per
    sentence, shares of mentions of the 14 observations that are negated or uncertain, shares
    of findings sections and of sentences that occur more than once, kinds of words; `places`, how
    often each finding is affirmed, with side and with zone.
    """
    ordered = [[(name.upper(), text) for name, text in report] for report in reports]
    # In an order without meaning, so that the first words stand for all.
    ordered.sort(key=lambda report: hashlib.sha256(repr(report).encode()).digest())
    sentences, codes = [], Counter[int]()
    for report in ordered:
        for name, text in report:
            if is_silent(name):
                continue
            for start, end in split_sentences(text):
                sentence = text[start:end]
                sentences.append(" ".join(sentence.lower().split()))
                codes.update(code for finding, code in label_sentence(sentence).items() if finding)
    findings = [" ".join(t.lower().split()) for r in ordered for n, t in r if n == "FINDINGS"]
    words = [w.lower() for report in ordered for _, text in report for w in _WORD.findall(text)]
    mentions = max(codes.total(), 1)
    return {
        "reports": len(ordered),
        "words": len(words),
        "words_per_section": {name: _lengths(ordered, name) for name in SECTIONS},
        "reports_with_section": {
            name: _share(name in dict(report) for report in ordered) for name in SECTIONS
        },
        "sentences_per_report": round(len(sentences) / max(len(ordered), 1), 2),
        "words_per_sentence": round(
            sum(len(_WORD.findall(s)) for s in sentences) / max(len(sentences), 1), 2
        ),
        "mentions_per_report": round(mentions / max(len(ordered), 1), 2),
        "negated_mentions": round(codes[0] / mentions, 4),
        "uncertain_mentions": round(codes[-1] / mentions, 4),
        "repeated_findings_sections": _repeated(findings),
        "repeated_sentences": _repeated(sentences),
        "kinds_of_words": len(set(words)),
        f"kinds_in_{VOCABULARY_AT}_words": len(set(itertools.islice(words, VOCABULARY_AT))),
        "places": place_statistics(sentences, len(ordered)),
    }


def reference() -> dict[str, Any]:
    """The statistics of Open-i's reports."""
    return json.loads(REFERENCE.read_text())


def _lengths(reports: Sequence[Report], section: str) -> list[int]:
    lengths = [
        len(_WORD.findall(text)) for report in reports for name, text in report if name == section
    ]
    return np.percentile(lengths, (25, 50, 75)).round().astype(int).tolist() if lengths else []


def _share(values: Iterable[bool]) -> float:
    flags = list(values)
    return round(sum(flags) / max(len(flags), 1), 4)


def _repeated(texts: Sequence[str]) -> float:
    """Share of texts that are equal to another one."""
    counts = Counter(texts)
    return _share(counts[text] > 1 for text in texts)
