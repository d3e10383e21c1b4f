# SPDX-License-Identifier: Apache-2.0
"""The report of a reality check: one static HTML file beside the cells it links to."""

import json
from collections.abc import Mapping, Sequence

from medst_jax.evaluate.report import figures
from medst_jax.pages.blocks import (
    Block,
    Cell,
    Details,
    Drawings,
    Items,
    Line,
    Page,
    Paragraph,
    Program,
    Section,
    Table,
    Terms,
)
from medst_jax.pages.render import render
from medst_jax.pages.shown import probability
from medst_jax.reality_check import results
from medst_jax.reality_check.page_sections import (
    costs_section,
    groups_section,
    mentions_section,
    published_section,
    shots_section,
)
from medst_jax.reality_check.results import ORACLE, Result, Row

_NOT_SORTED_BY = -1e9
FOOTER = (
    "A diagram of critical differences needs five independent real data sets and is not drawn here. "
    "Simulated images make no clinical claim."
)


def page(title: str, table: results.Table, reference: str, facts: Mapping[str, str]) -> str:
    """The report as HTML text; links are relative to the output folder."""
    blocks: list[Block] = [
        *_verdict(table, reference),
        *(Paragraph(text, "warning") for text in table.warnings),
        _leaderboard(table),
        *(_column(table, name, reference) for name in table.columns),
        shots_section(table.rows),
        mentions_section(table),
        costs_section(table.rows),
        published_section(table),
        Section(
            "What the words mean",
            [Terms([(w.format(reference), m.format(reference)) for w, m in _TERMS])],
        ),
        *_prints(table.fingerprints),
    ]
    return render(Page(title, blocks, facts=[*facts.items()], footer=[FOOTER]))


_TERMS = (
    ("system", "A way of pre-training, by the name of its configuration."),
    ("trained on", "A mixture of data sets; a system reads what each of them offers."),
    ("reading", "own: only what the system can read of the mixture; all: every data set of it."),
    ("control", "What a number must beat to mean something: {}, pixels, ... Shown in grey."),
    ("chance", "What guessing scores, where that is known without a measurement."),
    ("value", "Mean over training seeds and draws of shots."),
    ("test", "95% interval of a bootstrap over patients, the trained systems as they are."),
    ("test + seed", "The same over patients, training seeds and draws of shots."),
    ("difference from {}", "Paired by patient; p after Holm's correction over the family."),
    ("shots", "Training images of each class that a linear probe is fitted to."),
)


def _verdict(table: results.Table, reference: str) -> list[Block]:
    """One line: which contestant leads each column, and whether it beats the reference."""
    parts = []
    for name in table.columns:
        having = [
            row
            for row in table.rows
            if name in row.results and not row.spec.control and row.spec.name != ORACLE
        ]
        if not having:
            continue
        best = max(having, key=lambda row: row.results[name].estimate.value)
        result = best.results[name]
        text = f"{name}: {best.spec.name} on {best.spec.mixture} leads with {result.estimate.value:.3f}"
        text += _guessed(table, name)
        if result.against is not None:
            low, high = result.against.low, result.against.high
            if low > 0:
                text += (
                    f", above {reference} by {result.against.value:.3f} ({low:.3f} to {high:.3f})"
                )
            else:
                text += f", not told from {reference} ({low:+.3f} to {high:+.3f})"
        parts.append(text)
    return [Paragraph("; ".join(parts) + ".", "verdict")] if parts else []


def _leaderboard(table: results.Table) -> Table:
    heads = ["system", "trained on", "reading", *table.columns, "examples/s"]
    first = next(iter(table.columns), "")
    lines = []
    for row in sorted(table.rows, key=lambda row: -_value(row, first)):
        cells = [_value_cell(row, name) for name in table.columns]
        speed = Cell(row.facts.get("examples_per_second", ""), kind="num")
        lines.append(Line([*_names(row), *cells, speed], _kind(row)))
    return Table(heads, lines, kind="leaderboard", sortable=True)


def _value(row: Row, column: str) -> float:
    result = row.results.get(column)
    return _NOT_SORTED_BY if result is None else result.estimate.value


def _column(table: results.Table, name: str, reference: str) -> Section:
    """One section per column: intervals, differences, and value against mixture."""
    rows = [row for row in table.rows if name in row.results]
    if not rows:
        return Section(name, [Paragraph("No cell has it yet.", "sub")])
    heads = ["system", "trained on", "reading", "value", "test", "test + seed"]
    heads += [f"difference from {reference}", "p", "seen in training", "from"]
    lines = [
        Line([*_names(row), *_detail(row.results[name]), _links(row)], _kind(row))
        for row in sorted(rows, key=lambda row: -row.results[name].estimate.value)
    ]
    missing = [
        f"{row.spec.name}, {row.spec.mixture}: {row.missing[name]}"
        for row in table.rows
        if name in row.missing
    ]
    blocks: list[Block] = [Table(heads, lines, kind="column", sortable=True)]
    blocks += groups_section(rows, name)
    blocks += [Details("without a number", [Items(missing)])] if missing else []
    note = table.columns[name].replace("_", " ") + _guessed(table, name)
    return Section(name, blocks + _curves(rows, name), note)


def _guessed(table: results.Table, column: str) -> str:
    """What guessing scores on a column, as a part of a sentence."""
    return f" (chance {table.chance[column]:.3f})" if column in table.chance else ""


def _curves(rows: Sequence[Row], name: str) -> list[Block]:
    """Value against mixture, a line per system and reading with two mixtures or more."""
    curves: dict[str, dict[str, tuple[float, float, float]]] = {}
    for row in rows:
        if not row.spec.control and row.spec.reading != "own":
            estimate = row.results[name].estimate
            point = (estimate.value, *estimate.test)
            curves.setdefault(row.spec.name, {})[row.spec.mixture] = point
    curves = {system: points for system, points in curves.items() if len(points) > 1}
    return [Drawings([figures.mixture_figure(curves)])] if curves else []


def _names(row: Row) -> list[Cell]:
    note = [row.spec.note] if row.spec.note else []
    return [Cell(row.spec.name, note), Cell(row.spec.mixture), Cell(row.spec.reading)]


def _value_cell(row: Row, name: str) -> Cell:
    result = row.results.get(name)
    if result is None:
        return Cell("–", order=-1, hint=row.missing.get(name, ""), kind="num")
    below = [_span(result.estimate.test)]
    # Said in the leaderboard where it is not clean.
    below += [] if result.exposure in ("", "clean") else [result.exposure]
    value = result.estimate.value
    return Cell(f"{value:.3f}", below, order=value, kind="num")


def _detail(result: Result) -> list[Cell]:
    estimate, against = result.estimate, result.against
    seeds = _span(estimate.both) if estimate.both else "one seed"
    change = f"{against.value:+.3f} ({_span((against.low, against.high))})" if against else ""
    p = "" if result.adjusted is None else probability(result.adjusted)
    values = (f"{estimate.value:.3f}", _span(estimate.test), seeds, change)
    order = None if result.adjusted is None else result.adjusted
    cells = [Cell(value, kind="num") for value in values]
    return [*cells, Cell(p, kind="num", order=order), Cell(result.exposure)]


def _span(bounds: tuple[float, float]) -> str:
    return f"{bounds[0]:.3f} to {bounds[1]:.3f}"


def _links(row: Row) -> Cell:
    """To the numbers, the exact config and the input's fingerprints of each cell."""
    links = []
    for number, cell in enumerate(row.spec.cells):
        folder = f"cells/{cell.name}"
        links += [(f"{number}: numbers", f"{folder}/evaluation/metrics.json")]
        links += [("report", f"{folder}/evaluation/report.html")]
        if not cell.evaluate:
            links += [("config", f"{folder}/config.json"), ("data", f"{folder}/input.json")]
    return Cell(links=links)


def _kind(row: Row) -> str:
    if row.spec.name == ORACLE:
        return "oracle"
    return "control" if row.spec.control else ""


def _prints(fingerprints: Mapping[str, str]) -> list[Block]:
    if not fingerprints:
        return []
    listed = json.dumps(dict(fingerprints), indent=1)
    return [Details("fingerprints of the training data", [Program(listed)])]
