# SPDX-License-Identifier: Apache-2.0
"""Our numbers in the layout of a published table, above those of its paper."""

import dataclasses
import math
import sys
from collections.abc import Mapping, Sequence

from medst_jax.evaluate.published.table import Cell, Column, PublishedTable
from medst_jax.evaluate.statistics.rows import Row, worst

NOTHING = "–"
_GREY, _PLAIN = "\x1b[90m", "\x1b[0m"


@dataclasses.dataclass(frozen=True)
class OurCell:
    """Our number in a column: as printed, its interval as printed, and what must be said of it.

    `value` is "–" where there is none. `exposure` is that of the row, of a mean the worst of its
    columns, empty where there is no number.
    """

    value: str
    interval: str = ""
    note: str = ""
    exposure: str = ""


def our_cells(table: PublishedTable, rows: Sequence[Row]) -> tuple[OurCell, ...]:
    """One cell a column from the rows of an evaluation."""
    by_key = {(row.task, row.metric): row for row in rows}
    before: dict[str, float] = {}  # means are of columns of tasks, or of means before them
    seen: dict[str, str] = {}
    cells = []
    for column in table.columns:
        value = before[column.name] = _value(column, by_key, before)
        seen[column.name] = _exposure(column, by_key, seen)
        cell = _cell(column, by_key, value)
        exposure = seen[column.name] if cell.value != NOTHING else ""
        cells.append(dataclasses.replace(cell, exposure=exposure))
    return tuple(cells)


def _value(
    column: Column, by_key: Mapping[tuple[str, str], Row], before: Mapping[str, float]
) -> float:
    if column.mean_of:
        parts = [before.get(name, math.nan) for name in column.mean_of]
        return sum(parts) / len(parts)
    row = by_key.get((column.task, column.metric))
    return math.nan if row is None else row.value * column.scale


def _exposure(
    column: Column, by_key: Mapping[tuple[str, str], Row], seen: Mapping[str, str]
) -> str:
    row = by_key.get((column.task, column.metric))
    if column.mean_of or row is None:
        return worst(seen.get(name, "unknown") for name in column.mean_of)
    return row.exposure


def _cell(column: Column, by_key: Mapping[tuple[str, str], Row], value: float) -> OurCell:
    if not math.isfinite(value):
        return OurCell(NOTHING)
    printed = f"{value:.{column.digits}f}"
    row = by_key.get((column.task, column.metric))
    if row is None:
        return OurCell(printed)
    if row.low is None or row.high is None:
        return OurCell(printed, note=row.note)
    low, high = (bound * column.scale for bound in (row.low, row.high))
    return OurCell(printed, f"{low:.{column.digits}f} to {high:.{column.digits}f}", row.note)


def published_text(cell: Cell, column: Column) -> str:
    """A published value as its paper prints it."""
    if cell is None:
        return NOTHING
    return cell if isinstance(cell, str) else f"{cell:.{column.digits}f}"


def format_comparison(
    table: PublishedTable, system: str, rows: Sequence[Row], *, grey: bool | None = None
) -> str:
    """The table as plain text, our row first.

    Args:
      table: as published.
      system: name of our row.
      rows: of the evaluation.
      grey: whether the published rows are in grey; None: where the output is a terminal.
    """
    grey = sys.stdout.isatty() if grey is None else grey
    cells = our_cells(table, rows)
    lines = [
        ("method", *(column.name for column in table.columns)),
        (system, *(cell.value for cell in cells)),
        *((row.method, *map(published_text, row.values, table.columns)) for row in table.rows),
    ]
    if any(column.group for column in table.columns):
        lines.insert(0, ("", *_groups(table.columns)))
    widths = [max(len(line[k]) for line in lines) for k in range(len(lines[0]))]
    text = [
        "  ".join(
            [
                line[0].ljust(widths[0]),
                *(c.rjust(w) for c, w in zip(line[1:], widths[1:], strict=True)),
            ]
        )
        for line in lines
    ]
    published = len(table.rows)
    if grey:
        text[-published:] = [f"{_GREY}{line}{_PLAIN}" for line in text[-published:]]
    ours = len(text) - published
    text.insert(ours - 1, "-" * (sum(widths) + 2 * (len(widths) - 1)))
    return "\n".join([f"{table.title} ({table.source}): {table.caption}", *text])


def format_exposures(table: PublishedTable, rows: Sequence[Row]) -> str:
    """Which of our numbers are clean, contaminated or unknown: a line for each, columns by name."""
    cells = our_cells(table, rows)
    lines = []
    for exposure in dict.fromkeys(cell.exposure for cell in cells if cell.exposure):
        names = [
            f"{column.group} {column.name}".strip()
            for column, cell in zip(table.columns, cells, strict=True)
            if cell.exposure == exposure
        ]
        lines.append(f"seen in training, {exposure}: {', '.join(names)}")
    return "\n".join(lines)


def _groups(columns: Sequence[Column]) -> list[str]:
    """The group over a column where it begins, empty over the others."""
    before = ["", *(column.group for column in columns)]
    return [c.group if c.group != b else "" for c, b in zip(columns, before[:-1], strict=True)]
