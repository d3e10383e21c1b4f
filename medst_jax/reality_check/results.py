# SPDX-License-Identifier: Apache-2.0
"""The table of a reality check, from the predictions of its cells."""

import dataclasses
import json
import statistics as middle
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from etils import epath
from tqdm import tqdm

from medst_jax.evaluate.statistics.predictions import Predictions, read_predictions
from medst_jax.reality_check.cells import Line
from medst_jax.reality_check.costs import cost_of
from medst_jax.reality_check.curves import finding_values, shot_curves
from medst_jax.reality_check.groups import Groups, by_group
from medst_jax.reality_check.kept_draws import kept_draw
from medst_jax.reality_check.options import CheckOptions
from medst_jax.reality_check.statistics import (
    Difference,
    Draws,
    Estimate,
    difference,
    draw,
    estimate,
    gather,
    holm,
)
from medst_jax.reality_check.work import Workshop

ORACLE = "label oracle"


@dataclasses.dataclass(frozen=True)
class Entry:
    """One number of the table.

    Attributes:
      estimate: value and intervals.
      against: paired difference from the reference, None for the reference itself.
      adjusted: its p-value after Holm's correction, where the column is in the family.
      groups: the number on each group of images; see `groups.by_group`.
    """

    estimate: Estimate
    against: Difference | None = None
    adjusted: float | None = None
    groups: Groups = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Row:
    """A line with its numbers by column.

    Attributes:
      missing: why a column has none.
      facts: costs of its trainings.
      shots: of each probed task, (training images per class, value), fewest first.
      outside: AUROC of findings outside the labels.
    """

    line: Line
    entries: Mapping[str, Entry]
    missing: Mapping[str, str]
    facts: Mapping[str, Any]
    shots: Mapping[str, Sequence[tuple[int, float]]] = dataclasses.field(default_factory=dict)
    outside: Mapping[str, float] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Table:
    """All rows.

    Attributes:
      warnings: belong at the top of a report.
      fingerprints: of the training data.
      mentions: share of the training reports that mention a finding, of `Row.outside`.
    """

    columns: Mapping[str, str]
    rows: tuple[Row, ...]
    warnings: tuple[str, ...]
    fingerprints: Mapping[str, str]
    mentions: Mapping[str, float] = dataclasses.field(default_factory=dict)


def tabulate(
    options: CheckOptions,
    lines: Sequence[Line],
    shop: Workshop,
    *,
    draws: int,
    seed: int,
) -> Table:
    """The table of the cells that are done; others are named as missing."""
    found = {line: _predictions(line, shop) for line in lines}

    def sampled(line: Line, column: str, metric: str) -> Draws | None:
        """Draws of all cells of a line, None where one of them lacks the column."""
        runs = [(path, run[column]) for path, run in found[line].items() if column in run]
        if not runs or len(runs) < len(line.cells):
            return None
        made = [kept_draw(p, column, run, metric, draws=draws, seed=seed) for p, run in runs]
        return gather(made)

    reference = next(line for line in lines if line.name == options.reference)
    against = {name: sampled(reference, name, metric) for name, metric in options.columns.items()}
    rows = []
    for line, files in tqdm(found.items(), desc="table", unit="row"):
        runs = list(files.values())
        entries, missing = {}, {}
        for column, metric in options.columns.items():
            own, other = sampled(line, column, metric), against[column]
            if own is None:
                missing[column] = _reason(line, shop, column)
                continue
            compared = difference(own, other) if other and line != reference else None
            groups = by_group([run[column] for run in runs], metric)
            entries[column] = Entry(estimate(own), compared, groups=groups)
        outside = finding_values(runs, options.outside)
        rows.append(Row(line, entries, missing, _facts(line, shop), shot_curves(runs), outside))
    rows = _corrected(rows, options.family or tuple(options.columns), options.contestants)
    oracle = _oracle(options, [run for files in found.values() for run in files.values()])
    everything = (*rows, *oracle)
    return Table(
        options.columns, everything, _warnings(options, everything), _fingerprints(lines, shop)
    )


def to_json(table: Table) -> str:
    """Every number of the table, with the cells behind it."""
    rows = [
        {
            "system": row.line.name,
            "mixture": row.line.mixture,
            "reading": row.line.reading,
            "control": row.line.control,
            "note": row.line.note,
            "cells": [cell.name for cell in row.line.cells],
            "facts": dict(row.facts),
            "shots": dict(row.shots),
            "outside": dict(row.outside),
            "missing": dict(row.missing),
            "columns": {name: dataclasses.asdict(entry) for name, entry in row.entries.items()},
        }
        for row in table.rows
    ]
    content = {
        "columns": dict(table.columns),
        "warnings": list(table.warnings),
        "fingerprints": dict(table.fingerprints),
        "mentions": dict(table.mentions),
        "rows": rows,
    }
    return json.dumps(content, indent=1) + "\n"


def _predictions(line: Line, shop: Workshop) -> dict[epath.Path, dict[str, Predictions]]:
    """Of the cells that are done, by file."""
    files = [
        epath.Path(shop.folder(cell)) / "evaluation" / "predictions.npz"
        for cell in line.cells
        if shop.done(cell)
    ]
    return {file: read_predictions(file) for file in files}


def _reason(line: Line, shop: Workshop, column: str) -> str:
    if not line.cells:
        return line.note
    waiting = [cell.name for cell in line.cells if not shop.done(cell)]
    return f"not done: {', '.join(waiting)}" if waiting else f"{line.name} has no {column}"


def _corrected(rows: Sequence[Row], family: Sequence[str], systems: Sequence[str]) -> list[Row]:
    """p-values of the systems' rows, corrected over all columns of the family together."""
    values = {
        f"{number}/{column}": entry.against.p
        for number, row in enumerate(rows)
        if row.line.name in systems
        for column, entry in row.entries.items()
        if column in family and entry.against
    }
    adjusted = holm(values)
    return [
        dataclasses.replace(
            row,
            entries={
                column: dataclasses.replace(entry, adjusted=adjusted.get(f"{number}/{column}"))
                for column, entry in row.entries.items()
            },
        )
        for number, row in enumerate(rows)
    ]


def _oracle(options: CheckOptions, runs: Sequence[Mapping[str, Predictions]]) -> tuple[Row, ...]:
    """The labels as scores: what a column reads at best, and a test of its metric."""
    entries = {}
    for column, metric in options.columns.items():
        known = next((run[column] for run in runs if column in run), None)
        if known is None or known.kind != "single":
            continue
        scores = np.eye(len(known.classes), dtype=np.float32)[known.targets][None]
        best = dataclasses.replace(known, scores=scores)
        entries[column] = Entry(estimate(draw(best, metric, draws=1)))
    line = Line(ORACLE, "none", "all", True, (), "the labels themselves")
    return (Row(line, entries, {}, {}),) if entries else ()


def _warnings(options: CheckOptions, rows: Sequence[Row]) -> tuple[str, ...]:
    found = []
    for column in options.columns:
        having = [row for row in rows if column in row.entries and row.line.name != ORACLE]
        rival = _best([row for row in having if row.line.control], column)
        # A control may read the training of a system, which then is no contestant against it.
        best = _best(
            [
                r
                for r in having
                if not r.line.control and rival and r.line.cells != rival.line.cells
            ],
            column,
        )
        if rival is None or best is None:
            continue
        if rival.entries[column].estimate.value >= best.entries[column].estimate.value:
            found.append(
                f"{column}: the control {rival.line.name!r} "
                f"({rival.entries[column].estimate.value:.3f}) is not beaten; the best system is "
                f"{best.line.name} on {best.line.mixture} "
                f"({best.entries[column].estimate.value:.3f})"
            )
    return tuple(found)


def _best(rows: Sequence[Row], column: str) -> Row | None:
    return max(rows, key=lambda row: row.entries[column].estimate.value, default=None)


def _facts(line: Line, shop: Workshop) -> dict[str, Any]:
    """Costs of a line's trainings: those of `cost_of` and the median examples per second."""
    speeds: list[float] = []
    costs: dict[str, float] = {}
    for cell in line.cells:
        summary = shop.folder(cell) / "summary.json"
        if shop.done(cell) and summary.exists():
            speeds.append(json.loads(summary.read_text())["examples_per_second"])
            costs = costs or cost_of(epath.Path(shop.folder(cell)))
    return {"examples_per_second": round(middle.median(speeds), 1), **costs} if speeds else {}


def _fingerprints(lines: Sequence[Line], shop: Workshop) -> dict[str, str]:
    """Of the data behind all cells."""
    found: dict[str, str] = {}
    for line in lines:
        for cell in line.cells:
            path = epath.Path(shop.folder(cell)) / "input.json"
            if path.exists():
                found |= json.loads(path.read_text())["fingerprints"]
    return found
