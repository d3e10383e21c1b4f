# SPDX-License-Identifier: Apache-2.0
"""One system through one suite, into one folder: rows, predictions and the report."""

import dataclasses
from collections.abc import Mapping

from etils import epath

from medst_jax.commands.parts.subject import Request, subject_of
from medst_jax.evaluate.own_prompts import OwnPrompts, noted, with_own_prompts
from medst_jax.evaluate.registry import ConfiguredProtocol
from medst_jax.evaluate.report.page import ReportOptions, write_report
from medst_jax.evaluate.statistics.predictions import write_predictions
from medst_jax.evaluate.statistics.rows import read_rows, write_rows
from medst_jax.evaluate.subjects.cautions import SystemUnderTest
from medst_jax.evaluate.suite import SuiteOptions, SuiteResult, run_suite


def evaluate_into(
    folder: epath.PathLike,
    options: SuiteOptions,
    tasks: Mapping[str, ConfiguredProtocol],
    request: Request,
    *,
    include_restricted: bool = False,
    untrained: str | None = None,
    own: OwnPrompts | None = None,
) -> tuple[SystemUnderTest, SuiteResult]:
    """Evaluate and write metrics.json, predictions.npz and report.html.

    Args:
      folder: for the files; made where it is missing.
      options, tasks: of the suite; see `parse_suite`.
      request: what is evaluated.
      include_restricted: show pixels and texts of data that may not be redistributed.
      untrained: metrics.json of an untrained encoder on this suite.
      own: prompts in place of those of the suite's zero-shot tasks.

    Raises:
      Exception: as `subject_of` and `run_suite` do.
    """
    context, system, facts = subject_of(request)
    shipped = tasks
    if own:
        tasks = with_own_prompts(tasks, own, lambda task: context.data.task(task).classes)
        facts["prompts"] = own.note
    result = run_suite(options, tasks, context, system)
    if own:
        result = dataclasses.replace(result, rows=noted(result.rows, shipped, tasks, own))
    output = epath.Path(folder)
    output.mkdir(parents=True, exist_ok=True)
    report = ReportOptions(
        title=f"Evaluation of {system.name}",
        facts=facts,
        include_restricted=include_restricted,
        benchmark=options.benchmark,
        tasks=tasks,
        workdir=request.checkpoint,
        random=read_rows(untrained) if untrained else (),
    )
    # The rows come last: where they are, everything is, and of one evaluation.
    (output / "metrics.json").unlink(missing_ok=True)
    write_predictions(output / "predictions.npz", result.predictions)
    write_report(output / "report.html", report, result, context.data, system)
    write_rows(output / "metrics.json", result.rows)
    return system, result
