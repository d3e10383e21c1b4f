# SPDX-License-Identifier: Apache-2.0
"""Reads the sentences of a report that say what is seen, and joins what they say.

A report may hold several readings of one study: a wet read, the final report, addenda. Within a
reading the stronger statement counts, over readings the later one.
"""

from collections.abc import Callable, Iterator, Mapping

from medst_jax.text.headings import is_silent
from medst_jax.text.language import is_foreign
from medst_jax.text.no_finding import OTHER
from medst_jax.text.polarity import NEGATIVE, POSITIVE, UNCERTAIN
from medst_jax.text.sections import sections_of
from medst_jax.text.sentences import split_sentences


def describing_sentences(report: str) -> Iterator[tuple[int, str]]:
    """Yields (reading, sentence) of the sections that say what is seen.

    Readings are numbers in time order. A report in another language than English has none.
    """
    if is_foreign(report):
        return
    for name, text, reading in sections_of(report):
        if not is_silent(name):
            for start, end in split_sentences(text):
                yield reading, text[start:end]


def read_report(report: str, label: Callable[[str], Mapping[str, int]]) -> dict[str, int]:
    """The codes of a report: name -> 1 affirmed, 0 denied, -1 doubted; absent = unmentioned.

    Args:
      report: its text.
      label: the codes of one sentence.
    """
    readings: dict[int, dict[str, int]] = {}
    for reading, sentence in describing_sentences(report):
        merge_labels(readings.setdefault(reading, {}), label(sentence))
    codes: dict[str, int] = {}
    for reading in sorted(readings):
        later = readings[reading]
        if OTHER in codes and OTHER in later:  # many findings under one name: none is taken back
            merge_code(later, OTHER, codes[OTHER])
        codes.update(later)
    return codes


def merge_labels(codes: dict[str, int], more: Mapping[str, int]) -> None:
    """Adds the labels of another sentence to `codes`, in place: 1 outweighs -1, that 0."""
    for name, code in more.items():
        merge_code(codes, name, code)


def merge_code(codes: dict[str, int], name: str, code: int) -> None:
    """Adds one label to `codes`, in place."""
    old = codes.get(name, NEGATIVE)
    if POSITIVE in (old, code):
        codes[name] = POSITIVE
    else:
        codes[name] = UNCERTAIN if UNCERTAIN in (old, code) else NEGATIVE
