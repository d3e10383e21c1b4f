# SPDX-License-Identifier: Apache-2.0
"""How a benchmark is judged, and our row above the published ones, as parts of the HTML report."""

import dataclasses
import html
import itertools
from collections.abc import Sequence

from medst_jax.evaluate.published.benchmark import Benchmark, Design
from medst_jax.evaluate.published.comparison import OurCell, our_cells, published_text
from medst_jax.evaluate.published.table import PublishedTable
from medst_jax.evaluate.statistics.rows import Row


def benchmark_section(benchmark: Benchmark, system: str, rows: Sequence[Row]) -> str:
    """The published tables with our row, then how every data set is judged."""
    tables = [_table(table, system, rows) for table in benchmark.tables]
    parts = [
        f"<h2>{html.escape(benchmark.title)}</h2>",
        f'<p class="sub">{html.escape(benchmark.source)}</p>',
        *tables,
        _designs(benchmark),
        _listed("otherwise than published", benchmark.departures),
        _listed("not offered", benchmark.not_offered),
    ]
    return "".join(parts)


def _table(table: PublishedTable, system: str, rows: Sequence[Row]) -> str:
    lines = [
        f"<h3>{html.escape(table.title)}</h3>",
        f'<p class="sub">{html.escape(_about(table))}</p>',
        '<table class="published">',
    ]
    groups = [(g, len(list(c))) for g, c in itertools.groupby(table.columns, lambda c: c.group)]
    if any(name for name, _ in groups):
        spans = "".join(f'<th colspan="{n}">{html.escape(name)}</th>' for name, n in groups)
        lines.append(f"<tr><th></th>{spans}</tr>")
    names = "".join(f"<th>{html.escape(column.name)}</th>" for column in table.columns)
    lines.append(f"<tr><th>method</th>{names}</tr>")
    ours = "".join(map(_ours, our_cells(table, rows)))
    lines.append(f'<tr class="head"><td>{html.escape(system)}</td>{ours}</tr>')
    for row in table.rows:
        cells = "".join(
            f'<td class="num">{html.escape(published_text(value, column))}</td>'
            for value, column in zip(row.values, table.columns, strict=True)
        )
        lines.append(f'<tr class="grey"><td>{html.escape(row.method)}</td>{cells}</tr>')
    return "".join([*lines, "</table>"])


def _about(table: PublishedTable) -> str:
    return f"{table.caption} Source: {table.source}; published numbers in grey."


def _ours(cell: OurCell) -> str:
    said = (cell.interval, cell.note, cell.exposure if cell.exposure not in cell.note else "")
    below = "".join(f"<br><small>{html.escape(text)}</small>" for text in said if text)
    return f'<td class="num">{html.escape(cell.value)}{below}</td>'


def _designs(benchmark: Benchmark) -> str:
    names = [field.name for field in dataclasses.fields(Design)]
    head = "".join(f"<th>{name}</th>" for name in ("data set", *names))
    body = "".join(
        f"<tr><td>{html.escape(dataset)}</td>"
        + "".join(f"<td>{html.escape(getattr(design, name))}</td>" for name in names)
        + "</tr>"
        for dataset, design in benchmark.designs.items()
    )
    return f"<h3>how it is judged</h3><table><tr>{head}</tr>{body}</table>"


def _listed(title: str, texts: Sequence[str]) -> str:
    if not texts:
        return ""
    items = "".join(f"<li>{html.escape(text)}</li>" for text in texts)
    return f"<h3>{title}</h3><ul>{items}</ul>"
