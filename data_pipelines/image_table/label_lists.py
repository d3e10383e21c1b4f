# SPDX-License-Identifier: Apache-2.0
"""The notation `a|-b|?c` of a `labels` cell, and what a class means that it does not list.

Where lists name only what is present, the others are absent. Where they name what is absent too,
of the others nobody said anything. Which of the two holds is decided once for a whole table, by
the lists that leave a class out; a table that has both kinds of them must say.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from medst_jax.data.records import schema
from medst_jax.data_pipelines import cells
from medst_jax.data_pipelines.cells import CellError
from medst_jax.data_pipelines.image_table.options import Unlisted
from medst_jax.data_pipelines.listing.csv_table import TableError
from medst_jax.data_pipelines.listing.item import Item

_NUMBER = re.compile(r"\d+(\.\d*)?")
_PREFIXES = {"-": schema.NEGATIVE, "?": schema.UNCERTAIN}


def parse_labels(cell: str) -> dict[str, int]:
    """Codes of the labels a cell lists: `a|-b|?c` -> a 1, b 0, c -1.

    Raises:
      CellError: a sign without a name, or one name with two codes.
    """
    by_label: dict[str, int] = {}
    for entry in filter(cells.known, map(str.strip, cells.known(cell).split("|"))):
        code = _PREFIXES.get(entry[0], schema.POSITIVE)
        label = entry[1:].strip() if entry[0] in _PREFIXES else entry
        if not label:
            raise CellError("malformed labels")
        if by_label.get(label, code) != code:
            raise CellError("labels names a class twice, with two meanings")
        by_label[label] = code
    return by_label


def check_vocabulary(labels: Sequence[str]) -> None:
    """Raises TableError for names that are no class of their own.

    Those are two that only letter case or spacing tells apart, several in another notation than
    `a|b`, and numbers.
    """
    known = {*labels}
    for label in labels:
        parts = [part.strip() for part in re.split("[;,/+]", label)]
        if label[0] == "[" or ";" in label or (len(parts) > 1 and known & {*parts}):
            raise TableError(
                f"the label {label!r} looks like several: names in column 'labels' are separated by '|'"
            )
        if _NUMBER.fullmatch(label):
            raise TableError(
                f"column 'labels' holds the number {label}, not names: a column of 1, 0 and -1 of one "
                "class is read with --label_columns=NAME OF THE COLUMN"
            )
    seen: dict[str, str] = {}
    for label in labels:
        first = seen.setdefault(" ".join(label.casefold().split()), label)
        if first != label:
            raise TableError(
                f"the labels {first!r} and {label!r} differ in letter case or spacing alone: "
                "write one of them everywhere, for each counts as a class of its own"
            )


@dataclass(frozen=True)
class UnlistedLabels:
    """What an unlisted class means.

    Attributes:
      meaning: "negative", "unknown", or "" where every list names every class.
      why: how that was decided, in words.
    """

    meaning: Unlisted
    why: str

    def complete(self, codes: dict[str, int], vocabulary: Sequence[str]) -> dict[str, int]:
        """The codes of a list with those of the classes it leaves out; none for an empty list."""
        if not codes:
            return {}
        other = schema.NEGATIVE if self.meaning == "negative" else schema.OUTSIDE
        return {label: codes.get(label, other) for label in vocabulary}


def decide_unlisted(
    items: Sequence[Item], vocabulary: Sequence[str], asked: Unlisted
) -> UnlistedLabels:
    """What the classes mean that the items' lists leave out.

    Args:
      items: of all splits, with the codes of the labels they list.
      vocabulary: all classes.
      asked: what the user says; empty to decide.

    Raises:
      TableError: some lists name what is absent and others do not; by line, with the flag.
    """
    partial = [item for item in items if item.labels and len(item.labels) < len(vocabulary)]
    denying = [item for item in partial if schema.NEGATIVE in item.labels.values()]
    affirming = [item for item in partial if schema.NEGATIVE not in item.labels.values()]
    if asked:
        return UnlistedLabels(asked, "as --unlisted says")
    if denying and affirming:
        raise TableError(
            f"{len(denying)} rows list absent labels with '-' and {len(affirming)} list none, the "
            f"first by lines {denying[0].row} and {affirming[0].row}: say what a label means that "
            "a row does not list, --unlisted=negative (absent) or --unlisted=unknown"
        )
    if denying:
        return UnlistedLabels("unknown", "rows list absent labels with '-', so the rest is open")
    if affirming:
        return UnlistedLabels("negative", "rows list present labels only, so the rest is absent")
    return UnlistedLabels("", "every labelled row lists every label")
