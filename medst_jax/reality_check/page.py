# SPDX-License-Identifier: Apache-2.0
"""The report of a reality check: one static HTML file beside the cells it links to."""

import html
import json
from collections.abc import Mapping, Sequence

from medst_jax.evaluate.report import figures
from medst_jax.reality_check.page_sections import (
    costs_section,
    groups_section,
    mentions_section,
    published_section,
    shots_section,
    sortable,
)
from medst_jax.reality_check.page_style import SCRIPT, STYLE
from medst_jax.reality_check.results import ORACLE, Result, Row, Table

FOOTER = (
    "Value: mean over training seeds and draws of shots. test: 95% interval of a bootstrap over patients, the trained "
    "systems as they are. test + seed: over patients, training seeds and draws of shots. Difference from {reference}: "
    "paired by patient; p after Holm's correction over the family. A diagram of critical differences needs five "
    "independent real data sets and is not drawn here. Simulated images make no clinical claim."
)


def page(title: str, table: Table, reference: str, facts: Mapping[str, str]) -> str:
    """The report as HTML text; links are relative to the output folder."""
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        *(f'<div class="warning">{html.escape(text)}</div>' for text in table.warnings),
        f'<p class="sub">{" &middot; ".join(f"{html.escape(k)} {html.escape(v)}" for k, v in facts.items())}</p>',
        _leaderboard(table),
        *(_column(table, name) for name in table.columns),
        shots_section(table.rows),
        mentions_section(table),
        costs_section(table.rows),
        published_section(table),
        _prints(table.fingerprints),
        f"<footer>{html.escape(FOOTER.format(reference=reference))}</footer>",
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{STYLE}</style></head>"
        f"<body><main>{''.join(parts)}</main><script>{SCRIPT}</script></body></html>\n"
    )


def _leaderboard(table: Table) -> str:
    heads = ["system", "trained on", "reading", *table.columns, "examples/s"]
    body = []
    for row in table.rows:
        cells = "".join(_value_cell(row, name) for name in table.columns)
        speed = row.facts.get("examples_per_second", "")
        body.append(f'<tr{_class(row)}>{_names(row)}{cells}<td class="num">{speed}</td></tr>')
    return sortable(heads, body, "leaderboard")


def _column(table: Table, name: str) -> str:
    """One section per column: intervals, differences, and value against mixture."""
    rows = [row for row in table.rows if name in row.results]
    if not rows:
        return f"<h2>{html.escape(name)}</h2><p class='sub'>no cell has it yet</p>"
    heads = [
        "system",
        "trained on",
        "reading",
        "value",
        "test",
        "test + seed",
        "difference",
        "p",
        "seen in training",
        "from",
    ]
    body = [
        f"<tr{_class(row)}>{_names(row)}{_detail(row.results[name])}<td>{_links(row)}</td></tr>"
        for row in sorted(rows, key=lambda row: -row.results[name].estimate.value)
    ]
    metric = table.columns[name].replace("_", " ")
    missing = [
        f"<li>{html.escape(row.spec.name)}, {html.escape(row.spec.mixture)}: {html.escape(row.missing[name])}</li>"
        for row in table.rows
        if name in row.missing
    ]
    left_out = f"<details><summary>without a number</summary><ul>{''.join(missing)}</ul></details>"
    return (
        f"<h2>{html.escape(name)}</h2><p class='sub'>{html.escape(metric)}</p>"
        f"{sortable(heads, body, 'column')}{groups_section(rows, name)}"
        f"{left_out if missing else ''}{_curves(rows, name)}"
    )


def _curves(rows: Sequence[Row], name: str) -> str:
    """Value against mixture, a line per system and reading with two mixtures or more."""
    curves: dict[str, dict[str, tuple[float, float, float]]] = {}
    for row in rows:
        if not row.spec.control and row.spec.reading != "own":
            estimate = row.results[name].estimate
            point = (estimate.value, *estimate.test)
            curves.setdefault(row.spec.name, {})[row.spec.mixture] = point
    curves = {system: points for system, points in curves.items() if len(points) > 1}
    return f'<div class="figures">{figures.mixture_figure(curves)}</div>' if curves else ""


def _names(row: Row) -> str:
    note = f' <span class="note">{html.escape(row.spec.note)}</span>' if row.spec.note else ""
    return (
        f"<td>{html.escape(row.spec.name)}{note}</td><td>{html.escape(row.spec.mixture)}</td>"
        f"<td>{html.escape(row.spec.reading)}</td>"
    )


def _value_cell(row: Row, name: str) -> str:
    result = row.results.get(name)
    if result is None:
        why = html.escape(row.missing.get(name, ""))
        return f'<td class="num" data-value="-1" title="{why}">&ndash;</td>'
    low, high = result.estimate.test
    return (
        f'<td class="num" data-value="{result.estimate.value:.6f}">{result.estimate.value:.3f}'
        f"<small>{low:.3f} to {high:.3f}</small>{_seen(result.exposure)}</td>"
    )


def _seen(exposure: str) -> str:
    """Said in the leaderboard where it is not clean."""
    return f"<small>{html.escape(exposure)}</small>" if exposure not in ("", "clean") else ""


def _detail(result: Result) -> str:
    estimate, against = result.estimate, result.against
    seeds = _span(estimate.both) if estimate.both else "one seed"
    change = f"{against.value:+.3f} ({_span((against.low, against.high))})" if against else ""
    p = "" if result.adjusted is None else f"{result.adjusted:.4f}"
    values = (f"{estimate.value:.3f}", _span(estimate.test), seeds, change, p)
    cells = "".join(f'<td class="num">{value}</td>' for value in values)
    return f"{cells}<td>{html.escape(result.exposure)}</td>"


def _span(bounds: tuple[float, float]) -> str:
    return f"{bounds[0]:.3f} to {bounds[1]:.3f}"


def _links(row: Row) -> str:
    """To the numbers, the exact config and the input's fingerprints of each cell."""
    parts = []
    for number, cell in enumerate(row.spec.cells):
        folder = f"cells/{html.escape(cell.name)}"
        links = [("numbers", f"{folder}/evaluation/metrics.json")]
        links += [("report", f"{folder}/evaluation/report.html")]
        if not cell.evaluate:
            links += [("config", f"{folder}/config.json"), ("data", f"{folder}/input.json")]
        text = " ".join(f'<a href="{target}">{label}</a>' for label, target in links)
        parts.append(f"{number}: {text}")
    return "<br>".join(parts)


def _class(row: Row) -> str:
    if row.spec.name == ORACLE:
        return ' class="oracle"'
    return ' class="control"' if row.spec.control else ""


def _prints(fingerprints: Mapping[str, str]) -> str:
    if not fingerprints:
        return ""
    listed = html.escape(json.dumps(dict(fingerprints), indent=1))
    return f"<details><summary>fingerprints of the training data</summary><pre>{listed}</pre></details>"
