# SPDX-License-Identifier: Apache-2.0
"""The first lines of a report: each task's main number beside chance and an untrained encoder."""

import math
from collections.abc import Callable, Sequence

from medst_jax.evaluate.statistics.rows import Row, interval
from medst_jax.pages.blocks import Block, Paragraph, Tile, Tiles
from medst_jax.pages.shown import number

_MOST = 12
Chance = Callable[[Row], float | None]


def verdict(
    rows: Sequence[Row], headlines: Sequence[str], chance: Chance, random: Sequence[Row] = ()
) -> list[Block]:
    """A sentence, and a tile of each task.

    Args:
      rows: of all tasks.
      headlines: metrics, of which the first of a task's last part stands for it.
      chance: of a row, None where there is none.
      random: rows of an untrained encoder on the same tasks.
    """
    main = main_rows(rows, headlines)
    if not main:
        return []
    untrained = {(row.task, row.metric): row.value for row in random}
    judged = [(row, level) for row in main if (level := chance(row)) is not None]
    bounded = [(row, level) for row, level in judged if row.low is not None]
    above = [row for row, level in bounded if row.low is not None and row.low > level]
    sentence = (
        f"Above chance with the whole 95% interval: {len(above)} of {len(bounded)} tasks."
        if bounded
        else "No task has an interval to compare with chance."
    )
    beaten = [row for row in main if row.value <= untrained.get((row.task, row.metric), -math.inf)]
    if untrained:
        sentence += f" An untrained encoder is at least as good on {len(beaten)} of {len(main)}."
    tiles = []
    for row in main[:_MOST]:
        level, floor = chance(row), untrained.get((row.task, row.metric))
        notes = [f"95% interval {interval(row)}" if row.low is not None else "no interval"]
        notes += [] if level is None else [f"chance {number(float(level))}"]
        notes += [] if floor is None else [f"untrained encoder {number(float(floor))}"]
        name = f"{row.metric.replace('_', ' ')}, {row.task}"
        tiles.append(Tile(number(float(row.value)), name, notes))
    return [Paragraph(sentence, "verdict"), Tiles(tiles)]


def main_rows(rows: Sequence[Row], headlines: Sequence[str]) -> list[Row]:
    """One row of a task: the first headline of its last part."""
    last = {r.task.partition("/")[0]: r.task for r in rows if r.metric in headlines}
    first: dict[str, Row] = {}
    for row in rows:
        if row.metric in headlines and row.task in last.values():
            first.setdefault(row.task, row)
    return list(first.values())
