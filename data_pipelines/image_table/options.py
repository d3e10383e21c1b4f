# SPDX-License-Identifier: Apache-2.0
"""How the cells of a user's table are to be understood, where the table does not say it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Unlisted = Literal["", "negative", "unknown"]
Blank = Literal["unknown", "not_mentioned"]
DateOrder = Literal["", "day_first", "month_first"]


@dataclass(frozen=True)
class TableOptions:
    """What the user says of a table; the defaults leave it to the table.

    Attributes:
      columns: the table's own name of a column by the documented name; "" for "do not read it".
      label_columns: columns that hold 1, 0 or -1 of one class each.
      blank: what an empty cell of a label column means: nobody said (-3), or a report that was
        read does not mention it (-2).
      unlisted: what a class means that a `labels` cell does not list; "" to decide it by all cells.
      splits: further names of the `split` column, each with the split it stands for.
      dates: whether 03/04/2017 is in April or in March; "" to decide it by all cells.
      encoding: of the file, as Python names it; "" to find it.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    label_columns: tuple[str, ...] = ()
    blank: Blank = "unknown"
    unlisted: Unlisted = ""
    splits: Mapping[str, str] = field(default_factory=dict)
    dates: DateOrder = ""
    encoding: str = ""
