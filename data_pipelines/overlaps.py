# SPDX-License-Identifier: Apache-2.0
"""Which public data sets contain images, or patients, of which others.

`overlaps.csv` has a row per pair: `extent` "all" when the whole of `part` lies in `whole`, else
"some"; `ids` "same" when patients have one id in both, so that exclusion keys match when both
builds name one collection as their `namespace`, "new" when images were given other ids, and
"none" when there is text without ids. Where ids are not the same no key can match: leave one
of the two data sets out.
"""

from __future__ import annotations

import csv
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

FILE = Path(__file__).with_name("overlaps.csv")
EXTENTS = ("all", "some")
IDS = ("same", "new", "none")


class Overlap(NamedTuple):
    """One row."""

    part: str
    whole: str
    extent: str
    ids: str
    remark: str


@lru_cache
def read_overlaps() -> tuple[Overlap, ...]:
    """The rows of `overlaps.csv`.

    Raises:
      ValueError: a row with an unknown extent or kind of ids, with its line.
    """
    with FILE.open(newline="", encoding="utf-8") as file:
        rows = tuple(Overlap(**row) for row in csv.DictReader(file))
    for line, row in enumerate(rows, start=2):
        if row.extent not in EXTENTS or row.ids not in IDS:
            raise ValueError(f"{FILE}:{line}: extent {row.extent!r}, ids {row.ids!r}")
    return rows


def overlaps_of(name: str) -> tuple[Overlap, ...]:
    """The rows in which a data set is the part or the whole.

    >>> [row.whole for row in overlaps_of("padchest_physicians")]
    ['padchest', 'padchest_physicians', 'padchest_physicians']
    """
    return tuple(row for row in read_overlaps() if name in (row.part, row.whole))


def known_overlaps(name: str, namespace: str) -> list[dict[str, str]]:
    """The rows of a data set as its build records them.

    Args:
      name: of the data set.
      namespace: the collection whose ids the build uses. Where that is the other data set of a
        row, ids are the same after all: somebody gave the build a mapping.
    """
    return [
        {**row._asdict(), "ids": "same" if row.whole == namespace != name else row.ids}
        for row in overlaps_of(name)
    ]
