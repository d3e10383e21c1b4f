# SPDX-License-Identifier: Apache-2.0
"""Runs the protocols of a suite on one system and turns their outcomes into rows."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from tqdm import tqdm

from medst_jax.evaluate.published.benchmark import Benchmark, check_benchmark
from medst_jax.evaluate.registry import ConfiguredProtocol, parse_protocol
from medst_jax.evaluate.statistics import bootstrap
from medst_jax.evaluate.statistics.measure import measure
from medst_jax.evaluate.statistics.outcome import DerivedMetric, NotApplicable, Outcome, Part
from medst_jax.evaluate.statistics.predictions import Predictions
from medst_jax.evaluate.statistics.rows import SMALL, Row
from medst_jax.evaluate.subjects.cautions import SystemUnderTest, cautions
from medst_jax.evaluate.subjects.context import EvaluationContext
from medst_jax.options import parse


@dataclasses.dataclass(frozen=True)
class SuiteOptions:
    """A suite as configured.

    Attributes:
      tasks: name to {"protocol": ..., options of the protocol}.
      draws: bootstrap replicates of every interval.
      seed: of the bootstrap.
      cells: the trainings that `launch/reality_check.py` compares on this suite; see
        `medst_jax.reality_check.options`. Nothing else reads them.
      benchmark: what a suite of a published benchmark says of itself; None of other suites.
    """

    tasks: dict[str, Any]
    draws: int = bootstrap.REPLICATES
    seed: int = 0
    cells: dict[str, Any] = dataclasses.field(default_factory=dict)
    benchmark: Benchmark | None = None


@dataclasses.dataclass(frozen=True)
class SuiteResult:
    """Rows, predictions by "task" or "task/part", outcomes and reasons for skipped tasks."""

    rows: tuple[Row, ...]
    predictions: dict[str, Predictions]
    outcomes: dict[str, Outcome]
    skipped: dict[str, str]


def parse_suite(values: Mapping[str, Any]) -> tuple[SuiteOptions, dict[str, ConfiguredProtocol]]:
    """Options of a suite and its tasks by name.

    Raises:
      OptionError: an unknown key, protocol or value, or a benchmark that does not state what it must.
    """
    options = parse(SuiteOptions, values, "suite")
    if options.benchmark is not None:
        check_benchmark(options.benchmark, options.tasks)
    return options, {
        name: parse_protocol(task, f"suite.tasks.{name}") for name, task in options.tasks.items()
    }


def run_suite(
    options: SuiteOptions,
    tasks: Mapping[str, ConfiguredProtocol],
    context: EvaluationContext,
    system: SystemUnderTest,
) -> SuiteResult:
    """Run every task; one that the system cannot serve is skipped with its reason.

    Raises:
      MissingDataError: before anything is computed, with the line that makes the data.
    """
    for task in tasks.values():
        for dataset, split in task.needs():
            context.data.image_studies(dataset, split)
    rows: list[Row] = []
    predictions: dict[str, Predictions] = {}
    outcomes: dict[str, Outcome] = {}
    skipped: dict[str, str] = {}
    bar = tqdm(tasks.items(), desc="suite", unit="task", disable=not context.data.progress)
    for name, task in bar:
        bar.set_postfix_str(name)
        try:
            outcome = task.run(context)
        except NotApplicable as reason:
            skipped[name] = str(reason)
            continue
        outcomes[name] = outcome
        for part in outcome.parts:
            predictions[_joined(name, part.name)] = _grouped(part, outcome, context)
        rows += outcome_rows(name, task.protocol, outcome, options, context, system)
    return SuiteResult(tuple(rows), predictions, outcomes, skipped)


def outcome_rows(
    name: str,
    protocol: str,
    outcome: Outcome,
    options: SuiteOptions,
    context: EvaluationContext,
    system: SystemUnderTest,
) -> list[Row]:
    """The rows of one outcome, with intervals and cautions."""
    studies = context.data.image_studies(outcome.dataset, outcome.split)
    exclusion = context.data.exclusion(outcome.dataset)
    common = cautions(studies, exclusion, system) if studies is not None else {}

    def row(part: str, metric: str, bounded: Any, notes: tuple[str, ...]) -> Row:
        return Row(
            system=system.name,
            dataset=outcome.dataset,
            task=_joined(name, part),
            protocol=protocol,
            metric=metric,
            value=bounded.value,
            low=bounded.low,
            high=bounded.high,
            n=bounded.n,
            seed=system.seed,
            note="; ".join(filter(None, (*notes, *common))),
        )

    rows = []
    for part in outcome.parts:
        for m in measure(part.predictions, replicates=options.draws, seed=options.seed):
            rows.append(row(part.name, m.metric, m, (SMALL if m.small else "", part.note)))
    for derived in outcome.derived:
        notes = (SMALL if derived.small else "",)
        rows.append(row(derived.part, derived.metric, _derived(derived, options), notes))
    return rows


def _grouped(part: Part, outcome: Outcome, context: EvaluationContext) -> Predictions:
    """A classification's predictions with the groups of its images."""
    if part.predictions.kind not in ("single", "multi") or len(part.rows) != len(
        part.predictions.patients
    ):
        return part.predictions
    groups = context.data.groups(outcome.dataset, outcome.split, part.rows)
    return dataclasses.replace(part.predictions, groups=groups)


@dataclasses.dataclass(frozen=True)
class _BoundedValue:
    value: float
    low: float | None
    high: float | None
    n: int


def _derived(derived: DerivedMetric, options: SuiteOptions) -> _BoundedValue:
    replicates = 0 if derived.small else options.draws
    result = bootstrap.clustered_interval(
        derived.statistic, derived.patients, replicates=replicates, seed=options.seed
    )
    low, high = (result.low, result.high) if replicates else (None, None)
    return _BoundedValue(result.value, low, high, len(derived.patients))


def _joined(name: str, part: str) -> str:
    return f"{name}/{part}" if part else name
