# SPDX-License-Identifier: Apache-2.0
"""How a benchmark is judged, and our row above the published ones, as parts of the HTML report."""

import dataclasses
import itertools
from collections.abc import Sequence

from medst_jax.evaluate.published.benchmark import Benchmark, Design
from medst_jax.evaluate.published.comparison import OurCell, our_cells, published_text
from medst_jax.evaluate.published.table import PublishedTable
from medst_jax.evaluate.statistics.rows import Row
from medst_jax.pages.blocks import Block, Cell, Items, Line, Section, Table


def benchmark_section(benchmark: Benchmark, system: str, rows: Sequence[Row]) -> Section:
    """The published tables with our row, then how every data set is judged."""
    blocks: list[Block] = [_table(table, system, rows) for table in benchmark.tables]
    blocks.append(_designs(benchmark))
    for title, texts in (
        ("otherwise than published", benchmark.departures),
        ("not offered", benchmark.not_offered),
    ):
        if texts:
            blocks.append(Section(title, [Items(texts)], level=3))
    return Section(benchmark.title, blocks, note=benchmark.source)


def _table(table: PublishedTable, system: str, rows: Sequence[Row]) -> Section:
    groups = [(g, len(list(c))) for g, c in itertools.groupby(table.columns, lambda c: c.group)]
    named = [("", 1), *groups] if any(name for name, _ in groups) else []
    lines = [Line([system, *map(_ours, our_cells(table, rows))], "head")]
    for row in table.rows:
        values = zip(row.values, table.columns, strict=True)
        cells = [Cell(published_text(value, column), kind="num") for value, column in values]
        lines.append(Line([row.method, *cells], "grey"))
    heads = ["method", *(column.name for column in table.columns)]
    note = f"{table.caption} Source: {table.source}; published numbers in grey."
    return Section(table.title, [Table(heads, lines, named, "published")], note=note, level=3)


def _ours(cell: OurCell) -> Cell:
    said = (cell.interval, cell.note, cell.exposure if cell.exposure not in cell.note else "")
    return Cell(cell.value, [text for text in said if text], kind="num")


def _designs(benchmark: Benchmark) -> Section:
    names = [field.name for field in dataclasses.fields(Design)]
    rows = [
        (dataset, *(getattr(design, name) for name in names))
        for dataset, design in benchmark.designs.items()
    ]
    return Section("how it is judged", [Table(("data set", *names), rows)], level=3)
