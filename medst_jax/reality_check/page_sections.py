# SPDX-License-Identifier: Apache-2.0
"""Sections of the reality check's page beside the leaderboard: groups, shots, mentions, costs, the paper."""

from collections.abc import Sequence

from medst_jax.evaluate.report import figures
from medst_jax.pages.blocks import Block, Cell, Details, Drawings, Section, Table
from medst_jax.reality_check import results
from medst_jax.reality_check.groups import worst
from medst_jax.reality_check.published import TABLES, Published
from medst_jax.reality_check.results import Row


def groups_section(rows: Sequence[Row], column: str) -> list[Block]:
    """The value on each group of images; the worst one of a row is bold."""
    having = [row for row in rows if row.results[column].groups]
    if not having:
        return []
    counts = {
        (attribute, group): value.images
        for row in having
        for attribute, by_group in row.results[column].groups.items()
        for group, value in by_group.items()
    }
    names = [f"{attribute} {group} ({images})" for (attribute, group), images in counts.items()]
    lines = []
    for row in having:
        groups = row.results[column].groups
        low = worst(groups)
        cells = []
        for attribute, group in counts:
            value = groups.get(attribute, {}).get(group)
            bold = low is not None and (attribute, group) == low[:2]
            shown = None if value is None else float(value.value)
            cells.append(Cell(shown, kind="strong" if bold else "num"))
        lowest = Cell(float(low[2].value) if low else "", kind="num")
        lines.append([*_who(row), *cells, lowest])
    heads = ["system", "trained on", *names, "worst"]
    return [Details("by group of images", [Table(heads, lines, sortable=True)])]


def shots_section(rows: Sequence[Row]) -> Section:
    """Probe value against training images per class, each system on its largest mixture."""
    drawn = []
    for task in dict.fromkeys(task for row in rows for task in row.shots):
        curves: dict[str, list[tuple[float, float, float | None, float | None]]] = {
            f"{row.spec.name}, {row.spec.mixture}": [
                (float(shots), value, None, None) for shots, value in row.shots[task]
            ]
            for row in _one_of_each(rows)
            if task in row.shots
        }
        drawn.append(figures.shots_figure(curves))
    return Section("Training images of the probe", [Drawings(drawn)] if drawn else [])


def mentions_section(table: results.Table) -> Section:
    """AUROC of findings outside the labels against how often training reports mention them."""
    title = "Findings outside the labels"
    rows = [row for row in _one_of_each(table.rows) if row.outside]
    if not rows or not table.mentions:
        return Section(title, [])
    findings = sorted(rows[0].outside, key=lambda name: table.mentions.get(name, 0.0))
    points = {
        f"{row.spec.name}, {row.spec.mixture}": [
            (table.mentions.get(name, 0.0), row.outside[name])
            for name in findings
            if name in row.outside
        ]
        for row in rows
    }
    lines = [
        [
            *_who(row),
            *(
                Cell(f"{row.outside[f]:.3f}" if f in row.outside else "", kind="num")
                for f in findings
            ),
        ]
        for row in rows
    ]
    heads = ["system", "trained on", *(f"{f} ({table.mentions.get(f, 0):.2%})" for f in findings)]
    blocks = [Drawings([figures.mentions_figure(points)]), Table(heads, lines, sortable=True)]
    return Section(
        title,
        blocks,
        note="zero-shot AUROC against the share of training reports that mention the finding by name",
    )


def costs_section(rows: Sequence[Row]) -> Section:
    """Parameters, FLOPs and time of each row's training."""
    heads = ["system", "trained on", "parameters", "GFLOPs an example", "v5e hours at peak"]
    lines = [
        [
            *_who(row),
            Cell(row.facts["parameters"], kind="num"),
            Cell(f"{row.facts['flops_per_example'] / 1e9:.3f}", kind="num"),
            Cell(f"{row.facts['chip_hours']:.2g}", kind="num"),
            _rate(row),
        ]
        for row in rows
        if "parameters" in row.facts
    ]
    return Section(
        "Costs",
        [Table([*heads, "examples/s"], lines, sortable=True)],
        note="of one training; FLOPs are three forward passes; the hours are the lower bound that the "
        "chip's peak rate sets; examples/s as measured here",
    )


def _rate(row: Row) -> Cell:
    rate = row.facts.get("examples_per_second")
    return Cell("" if rate is None else f"{rate:.0f}", kind="num")


def published_section(table: results.Table) -> Section:
    """The tables of the paper, ours beside them."""
    known = {
        (row.spec.name, row.spec.mixture): row
        for row in reversed(table.rows)
        if not row.spec.control and row.spec.reading != "own"
    }
    own = {
        (row.spec.name, row.spec.mixture): row for row in table.rows if row.spec.reading == "own"
    }
    return Section(
        "Beside the paper",
        [_published(one, own | known) for one in TABLES],
        note="grey: published numbers, percent, not the same data; ours: percent, all data of the "
        "mixture where the system can read it",
    )


def _published(table: Published, ours: dict[tuple[str, str], Row]) -> Section:
    heads = ["", "protocol", *(f"ours: {name}" for name in table.ours), *table.heads]
    lines = []
    for (name, protocol, system, mixture), values in table.rows.items():
        row = ours.get((system, mixture))
        cells = [Cell(name), Cell(protocol)]
        for columns in table.ours.values():
            having = [c for c in columns.get(protocol, ()) if row and c in row.results]
            result = row.results[having[0]] if row and having else None
            cells.append(Cell(f"{100 * result.estimate.value:.1f}" if result else "–", kind="num"))
        cells += [Cell("–" if v is None else f"{v:.1f}", kind="num paper") for v in values]
        lines.append(cells)
    return Section(table.title, [Table(heads, lines, sortable=True)], level=3)


def _who(row: Row) -> list[Cell]:
    return [Cell(row.spec.name), Cell(row.spec.mixture)]


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
