# SPDX-License-Identifier: Apache-2.0
"""The table of a reality check, from the predictions of its cells."""

import dataclasses
import json
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from etils import epath
from tqdm import tqdm

from medst_jax.evaluate.report.chance import chance_level
from medst_jax.evaluate.statistics.predictions import Predictions, read_predictions
from medst_jax.evaluate.statistics.rows import read_rows, worst
from medst_jax.reality_check.cells import RowSpec
from medst_jax.reality_check.costs import cost_of
from medst_jax.reality_check.curves import finding_values, shot_curves
from medst_jax.reality_check.groups import Groups, by_group
from medst_jax.reality_check.options import CheckOptions
from medst_jax.reality_check.replicate_cache import cached_replicates
from medst_jax.reality_check.runner import CellRunner
from medst_jax.reality_check.statistics import (
    Difference,
    Estimate,
    Replicates,
    bootstrap_replicates,
    difference,
    estimate,
    gather,
    holm,
)
from medst_jax.train.workdir import read_json

ORACLE = "label oracle"


@dataclasses.dataclass(frozen=True)
class Result:
    """One number of the table.

    Attributes:
      estimate: value and intervals.
      against: paired difference from the reference, None for the reference itself.
      adjusted: its p-value after Holm's correction, where the column is in the family.
      groups: the number on each group of images; see `groups.by_group`.
      exposure: whether the row's systems saw the column's data in training: "clean",
        "contaminated" or "unknown"; empty of the labels themselves.
    """

    estimate: Estimate
    against: Difference | None = None
    adjusted: float | None = None
    groups: Groups = dataclasses.field(default_factory=dict)
    exposure: str = ""


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of the table: what it is of, and its numbers by column.

    Attributes:
      missing: why a column has none.
      facts: costs of its trainings.
      shots: of each probed task, (training images per class, value), fewest first.
      outside: AUROC of findings outside the labels.
    """

    spec: RowSpec
    results: Mapping[str, Result]
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
      chance: what guessing scores on a column, where that is known.
      mentions: share of the training reports that mention a finding, of `Row.outside`.
    """

    columns: Mapping[str, str]
    rows: tuple[Row, ...]
    warnings: tuple[str, ...]
    fingerprints: Mapping[str, str]
    mentions: Mapping[str, float] = dataclasses.field(default_factory=dict)
    chance: Mapping[str, float] = dataclasses.field(default_factory=dict)


def tabulate(
    options: CheckOptions,
    specs: Sequence[RowSpec],
    runner: CellRunner,
    *,
    replicates: int,
    seed: int,
) -> Table:
    """The table of the cells that are done; others are named as missing."""
    predictions = {spec: _predictions(spec, runner) for spec in specs}

    def sampled(spec: RowSpec, column: str, metric: str) -> Replicates | None:
        """Replicates of all cells of a row, None where one of them lacks the column."""
        runs = [(path, run[column]) for path, run in predictions[spec].items() if column in run]
        if not runs or len(runs) < len(spec.cells):
            return None
        by_seed = [
            cached_replicates(p, column, run, metric, replicates=replicates, seed=seed)
            for p, run in runs
        ]
        return gather(by_seed)

    reference = next(spec for spec in specs if spec.name == options.reference)
    against = {name: sampled(reference, name, metric) for name, metric in options.columns.items()}
    rows = []
    for spec, files in tqdm(predictions.items(), desc="table", unit="row"):
        runs = list(files.values())
        exposures = {file: _exposures(file) for file in files}
        results, missing = {}, {}
        for column, metric in options.columns.items():
            own, other = sampled(spec, column, metric), against[column]
            if own is None:
                missing[column] = _reason(spec, runner, column)
                continue
            compared = difference(own, other) if other and spec != reference else None
            groups = by_group([run[column] for run in runs], metric)
            exposure = worst(exposures[file].get(column, "unknown") for file in files)
            results[column] = Result(estimate(own), compared, groups=groups, exposure=exposure)
        outside = finding_values(runs, options.outside)
        rows.append(Row(spec, results, missing, _facts(spec, runner), shot_curves(runs), outside))
    rows = _corrected(rows, options.family or tuple(options.columns), options.contestants)
    done = [run for files in predictions.values() for run in files.values()]
    everything = (*rows, *_oracle(options, done))
    return Table(
        options.columns,
        everything,
        _warnings(options, everything),
        _fingerprints(specs, runner),
        chance=_chance(options, done),
    )


def to_json(table: Table) -> str:
    """Every number of the table, with the cells behind it."""
    rows = [
        {
            "system": row.spec.name,
            "mixture": row.spec.mixture,
            "reading": row.spec.reading,
            "control": row.spec.control,
            "note": row.spec.note,
            "cells": [cell.name for cell in row.spec.cells],
            "facts": dict(row.facts),
            "shots": dict(row.shots),
            "outside": dict(row.outside),
            "missing": dict(row.missing),
            "columns": {name: dataclasses.asdict(result) for name, result in row.results.items()},
        }
        for row in table.rows
    ]
    content = {
        "columns": dict(table.columns),
        "warnings": list(table.warnings),
        "fingerprints": dict(table.fingerprints),
        "mentions": dict(table.mentions),
        "chance": dict(table.chance),
        "rows": rows,
    }
    return json.dumps(content, indent=1) + "\n"


def _predictions(spec: RowSpec, runner: CellRunner) -> dict[epath.Path, dict[str, Predictions]]:
    """Of the cells that are done, by file."""
    files = [
        epath.Path(runner.folder(cell)) / "evaluation" / "predictions.npz"
        for cell in spec.cells
        if runner.done(cell)
    ]
    return {file: read_predictions(file) for file in files}


def _exposures(predictions: epath.Path) -> dict[str, str]:
    """Of each task of a cell, from the rows beside its predictions."""
    return {row.task: row.exposure for row in read_rows(predictions.parent / "metrics.json")}


def _reason(spec: RowSpec, runner: CellRunner, column: str) -> str:
    if not spec.cells:
        return spec.note
    waiting = [cell.name for cell in spec.cells if not runner.done(cell)]
    return f"not done: {', '.join(waiting)}" if waiting else f"{spec.name} has no {column}"


def _corrected(rows: Sequence[Row], family: Sequence[str], systems: Sequence[str]) -> list[Row]:
    """p-values of the systems' rows, corrected over all columns of the family together."""
    values = {
        f"{number}/{column}": result.against.p
        for number, row in enumerate(rows)
        if row.spec.name in systems
        for column, result in row.results.items()
        if column in family and result.against
    }
    adjusted = holm(values)
    return [
        dataclasses.replace(
            row,
            results={
                column: dataclasses.replace(result, adjusted=adjusted.get(f"{number}/{column}"))
                for column, result in row.results.items()
            },
        )
        for number, row in enumerate(rows)
    ]


def _oracle(options: CheckOptions, runs: Sequence[Mapping[str, Predictions]]) -> tuple[Row, ...]:
    """The labels as scores: what a column reads at best, and a test of its metric."""
    results = {}
    for column, metric in options.columns.items():
        reference_run = next((run[column] for run in runs if column in run), None)
        if reference_run is None or reference_run.kind != "single":
            continue
        scores = np.eye(len(reference_run.classes), dtype=np.float32)[reference_run.targets][None]
        best = dataclasses.replace(reference_run, scores=scores)
        results[column] = Result(estimate(bootstrap_replicates(best, metric, replicates=1)))
    spec = RowSpec(ORACLE, "none", "all", True, (), "the labels themselves")
    return (Row(spec, results, {}, {}),) if results else ()


def _chance(options: CheckOptions, runs: Sequence[Mapping[str, Predictions]]) -> dict[str, float]:
    """What guessing scores on each column that has such a number."""
    levels = {}
    for column, metric in options.columns.items():
        run = next((run[column] for run in runs if column in run), None)
        level = None if run is None else chance_level(metric, run)
        if level is not None:
            levels[column] = level
    return levels


def _warnings(options: CheckOptions, rows: Sequence[Row]) -> tuple[str, ...]:
    warnings = []
    for column in options.columns:
        having = [row for row in rows if column in row.results and row.spec.name != ORACLE]
        rival = _best([row for row in having if row.spec.control], column)
        # A control may read the training of a system, which then is no contestant against it.
        best = _best(
            [
                r
                for r in having
                if not r.spec.control and rival and r.spec.cells != rival.spec.cells
            ],
            column,
        )
        if rival is None or best is None:
            continue
        if rival.results[column].estimate.value >= best.results[column].estimate.value:
            warnings.append(
                f"{column}: the control {rival.spec.name!r} "
                f"({rival.results[column].estimate.value:.3f}) is not beaten; the best system is "
                f"{best.spec.name} on {best.spec.mixture} "
                f"({best.results[column].estimate.value:.3f})"
            )
    seen = dict.fromkeys(
        (f"{row.spec.name} on {row.spec.mixture}", column)
        for row in rows
        for column, result in row.results.items()
        if result.exposure == "contaminated"
    )
    warnings += [
        f"{column}: {name} was trained on these images: its number is contaminated"
        for name, column in seen
    ]
    return tuple(warnings)


def _best(rows: Sequence[Row], column: str) -> Row | None:
    return max(rows, key=lambda row: row.results[column].estimate.value, default=None)


def _facts(spec: RowSpec, runner: CellRunner) -> dict[str, Any]:
    """Costs of a row's trainings: those of `cost_of` and the median examples per second."""
    speeds: list[float] = []
    costs: dict[str, float] = {}
    for cell in spec.cells:
        summary = runner.folder(cell) / "summary.json"
        if runner.done(cell) and summary.exists():
            # A training that went on after its last step has measured none.
            speed = read_json(epath.Path(summary)).get("examples_per_second")
            speeds += [] if speed is None else [speed]
            costs = costs or cost_of(epath.Path(runner.folder(cell)))
    return (
        {"examples_per_second": round(statistics.median(speeds), 1), **costs} if speeds else costs
    )


def _fingerprints(specs: Sequence[RowSpec], runner: CellRunner) -> dict[str, str]:
    """Of the data behind all cells."""
    fingerprints: dict[str, str] = {}
    for spec in specs:
        for cell in spec.cells:
            path = epath.Path(runner.folder(cell)) / "input.json"
            if path.exists():
                fingerprints |= read_json(path)["fingerprints"]
    return fingerprints
