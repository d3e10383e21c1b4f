# SPDX-License-Identifier: Apache-2.0
"""Sections of the reality check's page beside the leaderboard: groups, shots, mentions, costs, the paper."""

import html
from collections.abc import Sequence

from medst_jax.evaluate.report import figures
from medst_jax.reality_check.groups import worst
from medst_jax.reality_check.published import TABLES, Published
from medst_jax.reality_check.results import Row, Table


def groups_section(rows: Sequence[Row], column: str) -> str:
    """The value on each group of images; the worst one of a row is bold."""
    having = [row for row in rows if row.results[column].groups]
    if not having:
        return ""
    counts = {
        (attribute, group): value.images
        for row in having
        for attribute, by_group in row.results[column].groups.items()
        for group, value in by_group.items()
    }
    heads = [
        "system",
        "trained on",
        *(f"{attribute} {group} ({images})" for (attribute, group), images in counts.items()),
        "worst",
    ]
    body = []
    for row in having:
        groups = row.results[column].groups
        low = worst(groups)
        cells = ""
        for attribute, group in counts:
            value = groups.get(attribute, {}).get(group)
            text = "&ndash;" if value is None else f"{value.value:.3f}"
            bold = low is not None and (attribute, group) == low[:2]
            cells += f'<td class="num">{f"<b>{text}</b>" if bold else text}</td>'
        lowest = f"{low[2].value:.3f}" if low else ""
        body.append(f'<tr>{_who(row)}{cells}<td class="num">{lowest}</td></tr>')
    return f"<details><summary>by group of images</summary>{sortable(heads, body)}</details>"


def shots_section(rows: Sequence[Row]) -> str:
    """Probe value against training images per class, each system on its largest mixture."""
    parts = []
    for task in dict.fromkeys(task for row in rows for task in row.shots):
        curves: dict[str, list[tuple[float, float, float | None, float | None]]] = {
            f"{row.spec.name}, {row.spec.mixture}": [
                (float(shots), value, None, None) for shots, value in row.shots[task]
            ]
            for row in _one_of_each(rows)
            if task in row.shots
        }
        parts.append(f'<div class="figures">{figures.shots_figure(curves)}</div>')
    return f"<h2>training images of the probe</h2>{''.join(parts)}" if parts else ""


def mentions_section(table: Table) -> str:
    """AUROC of findings outside the labels against how often training reports mention them."""
    rows = [row for row in _one_of_each(table.rows) if row.outside]
    if not rows or not table.mentions:
        return ""
    findings = sorted(rows[0].outside, key=lambda name: table.mentions.get(name, 0.0))
    points = {
        f"{row.spec.name}, {row.spec.mixture}": [
            (table.mentions.get(name, 0.0), row.outside[name])
            for name in findings
            if name in row.outside
        ]
        for row in rows
    }
    body = []
    for row in rows:
        values = "".join(
            f'<td class="num">{row.outside[f]:.3f}</td>' if f in row.outside else "<td></td>"
            for f in findings
        )
        body.append(f"<tr>{_who(row)}{values}</tr>")
    heads = ["system", "trained on", *(f"{f} ({table.mentions.get(f, 0):.2%})" for f in findings)]
    return (
        "<h2>findings outside the labels</h2><p class='sub'>zero-shot AUROC against the share of "
        "training reports that mention the finding by name</p>"
        f'<div class="figures">{figures.mentions_figure(points)}</div>{sortable(heads, body)}'
    )


def _rate(row: Row) -> str:
    rate = row.facts.get("examples_per_second")
    return "" if rate is None else f"{rate:.0f}"


def costs_section(rows: Sequence[Row]) -> str:
    """Parameters, FLOPs and time of each row's training."""
    heads = [
        "system",
        "trained on",
        "parameters",
        "GFLOPs an example",
        "v5e hours at peak",
        "examples/s",
    ]
    body = [
        f'<tr>{_who(row)}<td class="num">{row.facts["parameters"]:,}</td>'
        f'<td class="num">{row.facts["flops_per_example"] / 1e9:.3f}</td>'
        f'<td class="num">{row.facts["chip_hours"]:.2g}</td>'
        f'<td class="num">{_rate(row)}</td></tr>'
        for row in rows
        if "parameters" in row.facts
    ]
    if not body:
        return ""
    return (
        "<h2>costs</h2><p class='sub'>of one training; FLOPs are three forward passes; the hours are "
        "the lower bound that the chip's peak rate sets; examples/s as measured here</p>"
        f"{sortable(heads, body)}"
    )


def published_section(table: Table) -> str:
    """The tables of the paper, ours beside them."""
    known = {
        (row.spec.name, row.spec.mixture): row
        for row in reversed(table.rows)
        if not row.spec.control and row.spec.reading != "own"
    }
    own = {
        (row.spec.name, row.spec.mixture): row for row in table.rows if row.spec.reading == "own"
    }
    parts = [_published(one, own | known) for one in TABLES]
    return (
        "<h2>beside the paper</h2><p class='sub'>grey: published numbers, percent, not the same data; "
        "ours: percent, all data of the mixture where the system can read it</p>" + "".join(parts)
    )


def _published(table: Published, ours: dict[tuple[str, str], Row]) -> str:
    heads = ["", "protocol", *(f"ours: {name}" for name in table.ours), *table.heads]
    body = []
    for (name, protocol, system, mixture), values in table.rows.items():
        row = ours.get((system, mixture))
        cells = ""
        for columns in table.ours.values():
            having = [c for c in columns.get(protocol, ()) if row and c in row.results]
            result = row.results[having[0]] if row and having else None
            text = f"{100 * result.estimate.value:.1f}" if result else "&ndash;"
            cells += f'<td class="num">{text}</td>'
        for value in values:
            text = "&ndash;" if value is None else f"{value:.1f}"
            cells += f'<td class="num paper">{text}</td>'
        body.append(f"<tr><td>{html.escape(name)}</td><td>{protocol}</td>{cells}</tr>")
    return f"<h3>{html.escape(table.title)}</h3>{sortable(heads, body)}"


def sortable(heads: Sequence[str], body: Sequence[str], kind: str = "detail") -> str:
    """A table whose columns sort on a click."""
    head = "".join(f'<th tabindex="0" scope="col">{html.escape(name)}</th>' for name in heads)
    return (
        f'<div class="scroll"><table class="sortable {kind}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def _who(row: Row) -> str:
    return f"<td>{html.escape(row.spec.name)}</td><td>{html.escape(row.spec.mixture)}</td>"


def _one_of_each(rows: Sequence[Row]) -> list[Row]:
    """Of each system the row with the most training data, and every control with cells."""
    chosen: dict[tuple[str, bool], Row] = {}
    for row in rows:
        if not (row.results or row.outside):
            continue
        before = chosen.get((row.spec.name, row.spec.control))
        if before is None or _sites(row) > _sites(before):
            chosen[row.spec.name, row.spec.control] = row
    return list(chosen.values())


def _sites(row: Row) -> int:
    """How many sites a row trains on."""
    return len(row.spec.cells[0].sites) if row.spec.cells else 0
