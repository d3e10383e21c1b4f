# SPDX-License-Identifier: Apache-2.0
"""A self-contained HTML report of one evaluation.

Pixels and texts are shown only of data sets that may be redistributed, or when asked for.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from etils import epath

from medst_jax.evaluate.published.benchmark import Benchmark
from medst_jax.evaluate.registry import ConfiguredProtocol
from medst_jax.evaluate.report import figures
from medst_jax.evaluate.report.asked import how_asked
from medst_jax.evaluate.report.chance import chance_level, duplicates
from medst_jax.evaluate.report.examples import (
    attributed_words,
    classified_images,
    heat_maps,
    may_show,
    retrieved_texts,
)
from medst_jax.evaluate.report.published_tables import benchmark_section
from medst_jax.evaluate.report.tables import below_chance, metric_tables, named
from medst_jax.evaluate.report.training_facts import training_section
from medst_jax.evaluate.report.verdict import verdict
from medst_jax.evaluate.statistics.calibration import are_probabilities
from medst_jax.evaluate.statistics.outcome import Outcome
from medst_jax.evaluate.statistics.rows import FAILED, Row
from medst_jax.evaluate.subjects.cautions import SystemUnderTest, cautions
from medst_jax.evaluate.subjects.context import EvaluationData
from medst_jax.evaluate.suite import SuiteResult
from medst_jax.pages.blocks import Block, Details, Drawings, Page, Paragraph, Section, Table
from medst_jax.pages.render import render as render_page

HEADLINES = ("balanced_accuracy", "auroc", "harmonic_mean", "recall@10", "pairwise")
# Texts of which more than this share are not the only one of their words make recall easy.
_MANY_EQUAL = 0.2
_GRADED = "severity"
_INTERVALS = (
    "Intervals are 95% percentile intervals of a bootstrap over patients; a class with fewer than "
    "20 positive images gets none. The red mark on a scale is what guessing scores."
)


@dataclasses.dataclass(frozen=True)
class ReportOptions:
    """What the report says of itself.

    Attributes:
      title: heading.
      facts: name to value, printed below the heading (checkpoint, step, suite, ...).
      include_restricted: show pixels and texts of data that may not be redistributed.
      benchmark: that the suite is; its published tables and how it judges are shown.
      tasks: the suite's tasks by name, whose options are shown.
      workdir: of the training, whose facts are shown; None of systems trained elsewhere.
      random: rows of an untrained encoder on the same suite, shown beside ours.
    """

    title: str
    facts: Mapping[str, str] = dataclasses.field(default_factory=dict)
    include_restricted: bool = False
    benchmark: Benchmark | None = None
    tasks: Mapping[str, ConfiguredProtocol] = dataclasses.field(default_factory=dict)
    workdir: str | None = None
    random: Sequence[Row] = ()


def write_report(
    path: epath.PathLike,
    options: ReportOptions,
    result: SuiteResult,
    evaluation_data: EvaluationData,
    system: SystemUnderTest,
) -> None:
    """Write the report as one HTML file without outside references."""
    epath.Path(path).write_text(render(options, result, evaluation_data, system))


def render(
    options: ReportOptions,
    result: SuiteResult,
    evaluation_data: EvaluationData,
    system: SystemUnderTest,
) -> str:
    """The report as HTML text."""
    used = [*dict.fromkeys((o.dataset, o.split) for o in result.outcomes.values())]
    rows = [row for row in result.rows if row.metric != FAILED]
    chance = {id(row): _chance(row, result) for row in rows}
    blocks: list[Block] = [
        *verdict(rows, HEADLINES, lambda row: chance[id(row)], options.random),
        *_warnings(result, evaluation_data, system, used),
        *_cautions(rows, chance, result),
    ]
    if options.benchmark is not None:
        blocks.append(benchmark_section(options.benchmark, system.name, result.rows))
    for name, outcome in result.outcomes.items():
        own = [row for row in rows if row.task == name or row.task.startswith(f"{name}/")]
        blocks.append(_section(name, outcome, own, chance, evaluation_data, options))
    blocks += [training_section(options.workdir, system), _data(used, evaluation_data)]
    footer = [
        _INTERVALS,
        *dict.fromkeys(_origin(evaluation_data, *key) for key in used),
    ]
    facts = [(name, str(value)) for name, value in options.facts.items()]
    return render_page(Page(options.title, blocks, facts=facts, footer=footer))


def _warnings(
    result: SuiteResult,
    evaluation_data: EvaluationData,
    system: SystemUnderTest,
    used: Sequence[tuple[str, str]],
) -> list[Block]:
    opened = [evaluation_data.image_studies(*key) for key in used]
    texts = [
        text
        for one in opened
        if one is not None
        for text in cautions(one, evaluation_data.exclusion(one.name), system).values()
    ]
    texts += [f"{name}: failed. {why}" for name, why in result.failed.items()]
    texts += [f"{name}: skipped. {why}" for name, why in result.skipped.items()]
    return [Paragraph(text, "warning") for text in texts]


def _cautions(
    rows: Sequence[Row], chance: Mapping[int, float | None], result: SuiteResult
) -> list[Block]:
    """What a reader should know before believing the numbers."""
    texts = []
    below = [row for row in rows if below_chance(row, chance[id(row)])]
    if below:
        listed = "; ".join(f"{row.task}: {_metric(row)}" for row in below[:6])
        more = f"; and {len(below) - 6} more" if len(below) > 6 else ""
        texts.append(
            f"Below chance with the whole interval: {listed}{more}. Look for names or prompts "
            "that mean the opposite of the labels."
        )
    for name, outcome in result.outcomes.items():
        share = duplicates(outcome)
        if share > _MANY_EQUAL:
            texts.append(
                f"{name}: {share:.0%} of the texts have the same words as another one, and each of "
                "them counts as found: look at recall beside chance, which counts them too."
            )
    return [Paragraph(text, "warning") for text in texts]


def _metric(row: Row) -> str:
    """In words; of the area of a class both are said."""
    area = row.metric.startswith("auroc/")
    return f"auroc of {named(row.metric)}" if area else named(row.metric)


def _chance(row: Row, result: SuiteResult) -> float | None:
    for name, outcome in result.outcomes.items():
        for part in outcome.parts:
            if row.task == (f"{name}/{part.name}" if part.name else name):
                return chance_level(row.metric, part.predictions, outcome)
    return None  # of several parts together


def _section(
    name: str,
    outcome: Outcome,
    rows: Sequence[Row],
    chance: Mapping[int, float | None],
    evaluation_data: EvaluationData,
    options: ReportOptions,
) -> Section:
    protocol = rows[0].protocol
    blocks: list[Block] = [*how_asked(options.tasks.get(name), outcome)]
    curve = _shot_points(rows)
    if len(curve) > 1:
        blocks.append(Drawings([figures.shots_figure({"mean of the draws": curve})]))
    blocks += metric_tables(
        rows, HEADLINES, lambda row: chance[id(row)], ordered=protocol == _GRADED
    )
    blocks += _drawings(outcome)
    blocks += _shown(outcome, evaluation_data, options)
    words = protocol.replace("_", " ")
    return Section(name, blocks, f"{words} on {outcome.dataset}, split {outcome.split}")


def _shown(
    outcome: Outcome, evaluation_data: EvaluationData, options: ReportOptions
) -> list[Block]:
    """Pictures and texts, or why there are none."""
    studies = evaluation_data.image_studies(outcome.dataset, outcome.split)
    if studies is None:
        return []
    if not may_show(studies, options.include_restricted):
        licence = evaluation_data.licence(outcome.dataset, outcome.split)
        why = "may not be redistributed" if licence else "has no declared licence"
        return [
            Paragraph(
                f"Images and texts are not shown: this data set {why}. --include_restricted shows "
                "them, in a report that you keep to yourself.",
                "sub",
            )
        ]
    blocks = [
        *classified_images(outcome, evaluation_data),
        *heat_maps(outcome, evaluation_data),
    ]
    if outcome.trajectories:
        drawing = Drawings([figures.trajectory_figure(outcome.trajectories)])
        title = "severity over days: predicted grade ± its standard deviation, and the reference"
        blocks.append(Section(title, [drawing], level=3))
    blocks += retrieved_texts(outcome, evaluation_data)
    blocks += attributed_words(outcome, evaluation_data)
    return blocks


def _drawings(outcome: Outcome) -> list[Block]:
    last = outcome.parts[-1].predictions
    drawn = []
    if last.kind in ("single", "multi"):
        drawn += [figures.roc_figure(last), figures.precision_recall_figure(last)]
    if last.kind == "single":
        drawn.append(figures.confusion_figure(last))
    if are_probabilities(last):
        drawn.append(figures.reliability_figure(last))
    caption = f"Of {outcome.parts[-1].name}." if len(outcome.parts) > 1 else ""
    return [Drawings(drawn, caption), _prevalence(outcome)] if drawn else []


def _prevalence(outcome: Outcome) -> Block:
    """Images, patients and positives of each class behind the last part."""
    last = outcome.parts[-1].predictions
    positives, negatives = last.positives(), last.negatives()
    rows = [
        (name, int(p), int(n), float(p / max(p + n, 1)))
        for name, p, n in zip(last.classes, positives, negatives, strict=True)
    ]
    table = Table(("class", "positive", "negative", "share"), rows)
    patients = len(np.unique(last.patients))
    return Details(f"the {len(last.patients):,} images of {patients:,} patients", [table])


def _shot_points(
    rows: Sequence[Row],
) -> list[tuple[float, float, float | None, float | None]]:
    points = []
    for row in rows:
        amount, _, unit = row.task.rpartition("/")[2].partition(" ")
        if unit == "shots" and row.metric == "balanced_accuracy":
            points.append((float(amount), row.value, row.low, row.high))
    return points


def _data(used: Sequence[tuple[str, str]], evaluation_data: EvaluationData) -> Section:
    rows = []
    for dataset, split in used:
        studies = evaluation_data.image_studies(dataset, split)
        if studies is not None:
            patients = len(np.unique(studies.index.patient))
            licence = evaluation_data.licence(dataset, split) or "not declared"
            rows.append((dataset, split, len(studies), patients, licence))
    heads = ("data set", "split", "studies", "patients", "licence")
    return Section("Data", [Table(heads, rows)])


def _origin(evaluation_data: EvaluationData, dataset: str, split: str) -> str:
    licence = evaluation_data.licence(dataset, split) or "not declared"
    simulated = " Simulated images: no clinical claim." if "simulated" in dataset else ""
    return f"{dataset}: licence {licence}.{simulated}"
