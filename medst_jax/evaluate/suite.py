# SPDX-License-Identifier: Apache-2.0
"""Runs the protocols of a suite on one system and turns their outcomes into rows."""

import dataclasses
import logging
import math
from collections.abc import Mapping
from typing import Any

from tqdm import tqdm

from medst_jax.evaluate.published.benchmark import Benchmark, check_benchmark
from medst_jax.evaluate.registry import ConfiguredProtocol, parse_protocol
from medst_jax.evaluate.statistics import bootstrap
from medst_jax.evaluate.statistics.measure import measure
from medst_jax.evaluate.statistics.outcome import DerivedMetric, NotApplicable, Outcome, Part
from medst_jax.evaluate.statistics.predictions import Predictions
from medst_jax.evaluate.statistics.rows import FAILED, SMALL, Row
from medst_jax.evaluate.subjects.cautions import (
    IN_EXPOSURE,
    SystemUnderTest,
    cautions,
    exposure_of,
)
from medst_jax.evaluate.subjects.context import EvaluationContext
from medst_jax.options import parse

_LOG = logging.getLogger(__name__)


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
    """Rows, predictions by "task" or "task/part", outcomes, reasons for skipped and failed tasks."""

    rows: tuple[Row, ...]
    predictions: dict[str, Predictions]
    outcomes: dict[str, Outcome]
    skipped: dict[str, str]
    failed: dict[str, str] = dataclasses.field(default_factory=dict)


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

    A task that fails, for its data are missing or damaged or for any other reason, costs the others
    nothing: it becomes a row of metric "failed", without a value, whose note says why.

    Raises:
      Exception: that of the first task that failed, where no task ran.
    """
    missing = {name: _missing(task, context) for name, task in tasks.items()}
    if tasks and all(missing.values()):
        raise next(error for error in missing.values() if error)
    rows: list[Row] = []
    predictions: dict[str, Predictions] = {}
    outcomes: dict[str, Outcome] = {}
    skipped: dict[str, str] = {}
    errors: dict[str, Exception] = {}
    bar = tqdm(tasks.items(), desc="suite", unit="task", disable=not context.data.progress)
    for name, task in bar:
        bar.set_postfix_str(name)
        try:
            if error := missing[name]:
                raise error
            outcome = task.run(context)
            measured = outcome_rows(name, task.protocol, outcome, options, context, system)
            parts = {_joined(name, p.name): _grouped(p, outcome, context) for p in outcome.parts}
        except NotApplicable as reason:
            skipped[name] = str(reason)
        # Whatever it is: hours of other tasks must not be lost to it.
        except Exception as error:  # noqa: BLE001
            errors[name] = error
            if not isinstance(error, (OSError, ValueError)):  # those say in a line what is wrong
                _LOG.exception("task %s failed", name)
            rows.append(_failed_row(name, task, error, system))
        else:
            outcomes[name] = outcome
            predictions |= parts
            rows += measured
    if errors and not outcomes:
        raise next(iter(errors.values()))
    failed = {name: _line(error) for name, error in errors.items()}
    return SuiteResult(tuple(rows), predictions, outcomes, skipped, failed)


def _missing(task: ConfiguredProtocol, context: EvaluationContext) -> Exception | None:
    """Why the data of a task cannot be opened, before anything is computed."""
    try:
        for dataset, split in task.needs():
            context.data.image_studies(dataset, split)
    except (OSError, ValueError) as error:
        return error
    return None


def _failed_row(
    name: str, task: ConfiguredProtocol, error: Exception, system: SystemUnderTest
) -> Row:
    needs = task.needs()
    return Row(
        system=system.name,
        dataset=needs[0][0] if needs else "",
        task=name,
        protocol=task.protocol,
        metric=FAILED,
        value=math.nan,
        low=None,
        high=None,
        n=0,
        seed=system.seed,
        note=_line(error),
    )


def _line(error: Exception) -> str:
    """An error in one line; what is no message for users is named by its type, its text left out."""
    if isinstance(error, (OSError, ValueError)):
        return " ".join(str(error).split())
    return f"{type(error).__name__}, see the log"


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
    warned = cautions(studies, exclusion, system) if studies is not None else {}
    common = [short for short in warned if short not in IN_EXPOSURE]
    exposure = exposure_of(outcome.dataset, outcome.split, studies, exclusion, system)

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
            exposure=exposure,
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
