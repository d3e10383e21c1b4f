# SPDX-License-Identifier: Apache-2.0
"""Rows of metrics as tables of the page, with the drawing of each interval beside chance."""

import math
from collections.abc import Callable, Sequence

from medst_jax.evaluate.statistics.rows import Row, interval
from medst_jax.pages.blocks import Block, Cell, Details, Line, Section, Table
from medst_jax.pages.shown import number

# Findings have no order; only grades do.
_OF_GRADES = "quadratic_kappa"
_MOST_OPEN = 30
Chance = Callable[[Row], float | None]


def metric_tables(
    rows: Sequence[Row], headlines: Sequence[str], chance: Chance, *, ordered: bool
) -> list[Block]:
    """The metrics, then those of each class.

    Args:
      rows: of one task.
      headlines: metrics that stand out.
      chance: of a row, None where there is none.
      ordered: whether the classes are grades, so that a weighted kappa means something.
    """
    rows = [row for row in rows if ordered or row.metric != _OF_GRADES]
    main = [row for row in rows if "/" not in row.metric]
    areas = [row for row in rows if row.metric.startswith("auroc/")]
    others = [row for row in rows if "/" in row.metric and row not in areas]
    blocks: list[Block] = [_table(main, headlines, chance)]
    if areas:
        last = areas[-1].task
        shown = [row for row in areas if row.task == last]
        table = _table(shown, headlines, chance)
        hidden = [row for row in areas if row.task != last]
        inner: Block = (
            table if len(shown) <= _MOST_OPEN else Details(f"{len(shown)} classes", [table])
        )
        blocks.append(Section("area under the ROC curve of each class", [inner], level=3))
        if hidden:
            blocks.append(Details("the same of the other parts", [_table(hidden, (), chance)]))
    if others:
        blocks.append(Details("other numbers of each class", [_table(others, (), chance)]))
    return blocks


def below_chance(row: Row, level: float | None) -> bool:
    """Whether the whole interval lies below what guessing scores."""
    return level is not None and row.high is not None and row.high < level


def _table(rows: Sequence[Row], headlines: Sequence[str], chance: Chance) -> Table:
    parts = len({row.task for row in rows}) > 1
    noted = any(row.note for row in rows)
    levels = [chance(row) for row in rows]
    guessed = any(level is not None for level in levels)
    heads = ("part",) * parts + ("metric", "value", "95% interval", "") + ("chance",) * guessed
    heads += ("n", "seen in training")
    heads += ("note",) * noted
    lines = []
    for row, level in zip(rows, levels, strict=True):
        cells: list[object] = [Cell(row.task.partition("/")[2])] * parts
        cells += [
            Cell(named(row.metric)),
            Cell(number(row.value), kind="num"),
            Cell(interval(row), kind="num"),
            _drawn(row, level),
            *[Cell("" if level is None else number(float(level)), kind="num")] * guessed,
            Cell(row.n, kind="num"),
            Cell(row.exposure),
        ]
        if noted:
            cells.append(Cell(row.note, kind="note"))
        lines.append(Line(cells, "head" if row.metric in headlines else ""))
    return Table(heads, lines)


def named(metric: str) -> str:
    """The metric in words; a class keeps its name."""
    name, _, of = metric.partition("/")
    words = name.replace("_", " ")
    return (of if name == "auroc" else f"{words}, {of}") if of else words


def _drawn(row: Row, level: float | None) -> Cell:
    """The interval on the scale 0 to 1; nothing for what has another scale, such as ranks."""
    values = (row.low, row.value, row.high)
    if "rank" in row.metric or any(v is None or not math.isfinite(v) for v in values):
        return Cell()
    if not 0 <= row.value <= 1:
        return Cell()
    low, value, high = (min(max(float(v), 0.0), 1.0) for v in values if v is not None)
    return Cell(span=(low, value, high), chance=level)
