# SPDX-License-Identifier: Apache-2.0
"""The `day_offset` column: numbers of days, or dates, of which only differences are kept."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Iterable
from datetime import datetime

from medst_jax.data_pipelines import cells
from medst_jax.data_pipelines.cells import CellError
from medst_jax.data_pipelines.image_table.options import DateOrder
from medst_jax.data_pipelines.listing.csv_table import TableError, TableRow

_COLUMN = "day_offset"
_TIMES = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f")
_YEAR_FIRST = ("%Y-%m-%d", "%Y%m%d", "%Y/%m/%d", "%Y.%m.%d", "%d-%b-%Y", "%d %b %Y")
_DOTTED = "%d.%m.%Y"
# De-identified dates lie in later centuries.
_YEARS = range(1800, 2400)
_EIGHT_DIGITS = re.compile(r"\d{8}(\.0*)?")
_SLASHED = re.compile(r"(\d{1,2})[/-](\d{1,2})[/-]\d{4}\b.*")
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", re.IGNORECASE)


def day_reader(rows: Iterable[TableRow], order: DateOrder) -> Callable[[str], float]:
    """What turns a cell of the column into days; NaN for a cell without a value.

    Args:
      rows: all rows: dates with slashes are read alike in all of them.
      order: whether those have the day first; empty to decide it by the rows.

    Raises:
      TableError: numbers beside dates, or dates that can be read in two ways.
    """
    given = [(row.line, cell) for row in rows if (cell := cells.known(row.get(_COLUMN)))]
    dates = [(line, cell) for line, cell in given if _looks_dated(cell)]
    numbers = [(line, cell) for line, cell in given if _NUMBER.fullmatch(cell)]
    numbers = [pair for pair in numbers if pair not in dates]
    if dates and numbers:
        raise TableError(
            f"column {_COLUMN!r} holds dates (line {dates[0][0]}) and numbers of days (line "
            f"{numbers[0][0]}): write one of the two everywhere"
        )
    slashed = [(line, m) for line, cell in dates if (m := _SLASHED.fullmatch(cell))]
    if slashed and not order:
        order = _decided([(line, int(m[1]), int(m[2])) for line, m in slashed])
    if not dates:
        return lambda cell: cells.number(cell, _COLUMN)
    slashes = ("%d/%m/%Y", "%d-%m-%Y") if order == "day_first" else ("%m/%d/%Y", "%m-%d-%Y")
    formats = (*_YEAR_FIRST, _DOTTED, *slashes)
    return lambda cell: _days_of_date(cell, formats)


def _decided(slashed: list[tuple[int, int, int]]) -> DateOrder:
    first = [line for line, a, _ in slashed if a > 12]
    second = [line for line, _, b in slashed if b > 12]
    if bool(first) == bool(second):
        lines = f"lines {first[0]} and {second[0]} differ" if first else f"line {slashed[0][0]}"
        raise TableError(
            f"column {_COLUMN!r} holds dates such as 03/04/2017 ({lines}), which can be read in two "
            "ways: say --dates=day_first or --dates=month_first, or write 2017-04-03"
        )
    return "day_first" if first else "month_first"


def _looks_dated(cell: str) -> bool:
    if _EIGHT_DIGITS.fullmatch(cell):
        return not math.isnan(_date(cell[:8], ("%Y%m%d",)))
    return bool(re.match(r"\d{4}[-/.]\d|\d{1,2}[-/. ](\d{1,2}|[A-Za-z]{3})[-/. ]\d{4}", cell))


def _days_of_date(cell: str, formats: tuple[str, ...]) -> float:
    if not cells.known(cell):
        return math.nan
    days = _date(cell, formats)
    if math.isnan(days):
        raise CellError(f"{_COLUMN} is not a date")
    return days


@functools.lru_cache(maxsize=1 << 16)
def _date(cell: str, formats: tuple[str, ...]) -> float:
    text = re.sub(r"(?<=\d)T(?=\d)", " ", re.sub(r"(?<=\d{8})\.0*$|Z$", "", cell))
    for form in formats:
        for time in _TIMES:
            try:
                moment = datetime.strptime(text, form + time)
            except ValueError:
                continue
            if moment.year in _YEARS:
                midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
                return moment.toordinal() + (moment - midnight).total_seconds() / 86400
    return math.nan
