# SPDX-License-Identifier: Apache-2.0
"""A self-contained HTML report of one evaluation.

Pixels and texts are shown only of data sets that may be redistributed, or when asked for.
"""

import dataclasses
import html
import math
from collections.abc import Mapping, Sequence

import numpy as np
from etils import epath

from medst_jax.evaluate.published.benchmark import Benchmark
from medst_jax.evaluate.report import figures
from medst_jax.evaluate.report.examples import (
    attributed_words,
    classified_images,
    heat_maps,
    may_show,
    retrieved_texts,
)
from medst_jax.evaluate.report.published_tables import benchmark_section
from medst_jax.evaluate.report.style import STYLE
from medst_jax.evaluate.statistics.calibration import are_probabilities
from medst_jax.evaluate.statistics.outcome import Outcome
from medst_jax.evaluate.statistics.rows import Row, interval
from medst_jax.evaluate.subjects.cautions import SystemUnderTest, cautions
from medst_jax.evaluate.subjects.context import EvaluationData
from medst_jax.evaluate.suite import SuiteResult

HEADLINES = ("balanced_accuracy", "auroc", "harmonic_mean", "recall@10", "pairwise")
_MAX_CARDS = 8


@dataclasses.dataclass(frozen=True)
class ReportOptions:
    """What the report says of itself.

    Attributes:
      title: heading.
      facts: name to value, printed below the heading (checkpoint, step, suite, ...).
      include_restricted: show pixels and texts of data that may not be redistributed.
      benchmark: that the suite is; its published tables and how it judges are shown.
    """

    title: str
    facts: Mapping[str, str] = dataclasses.field(default_factory=dict)
    include_restricted: bool = False
    benchmark: Benchmark | None = None


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
    used = {(o.dataset, o.split): None for o in result.outcomes.values()}
    opened = [evaluation_data.image_studies(*key) for key in used]
    studies = [one for one in opened if one is not None]
    body = [
        f"<h1>{html.escape(options.title)}</h1>",
        f'<p class="sub">{_facts(options.facts)}</p>',
        *(
            _warning(text)
            for one in studies
            for text in cautions(one, evaluation_data.exclusion(one.name), system).values()
        ),
        *(_warning(f"{name}: failed. {why}") for name, why in result.failed.items()),
        *(_warning(f"{name}: skipped. {why}") for name, why in result.skipped.items()),
        _cards(result.rows),
    ]
    if options.benchmark is not None:
        body.append(benchmark_section(options.benchmark, system.name, result.rows))
    for name, outcome in result.outcomes.items():
        rows = [r for r in result.rows if r.task == name or r.task.startswith(f"{name}/")]
        body.append(_section(name, outcome, rows, evaluation_data, options))
    body.append(
        "<footer>Intervals are 95% percentile intervals of a bootstrap over patients; a class "
        "with fewer than 20 positive images gets none. "
        + " ".join(map(html.escape, dict.fromkeys(_origin(evaluation_data, *key) for key in used)))
        + "</footer>"
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{html.escape(options.title)}</title><style>{STYLE}</style></head>"
        f"<body><main>{''.join(body)}</main></body></html>\n"
    )


def _section(
    name: str,
    outcome: Outcome,
    rows: Sequence[Row],
    evaluation_data: EvaluationData,
    options: ReportOptions,
) -> str:
    protocol = rows[0].protocol.replace("_", " ")
    described = f"{protocol} on {outcome.dataset}, split {outcome.split}"
    parts = [
        f"<h2>{html.escape(name)}</h2>",
        f'<p class="sub">{html.escape(described)}</p>',
        _tables(rows),
        _pictures(outcome, rows),
    ]
    studies = evaluation_data.image_studies(outcome.dataset, outcome.split)
    if studies is None:
        return "".join(parts)
    if may_show(studies, options.include_restricted):
        parts.append(classified_images(outcome, evaluation_data))
        parts.append(heat_maps(outcome, evaluation_data))
        if outcome.trajectories:
            parts.append(
                "<h3>severity over days: predicted grade &plusmn; its standard deviation, and the "
                f"reference</h3>{figures.trajectory_figure(outcome.trajectories)}"
            )
        parts.append(retrieved_texts(outcome, evaluation_data))
        parts.append(attributed_words(outcome, evaluation_data))
    else:
        parts.append(
            '<p class="sub">Images and texts are not shown: this data set may not be '
            "redistributed.</p>"
        )
    return "".join(parts)


def _pictures(outcome: Outcome, rows: Sequence[Row]) -> str:
    drawn = []
    curve = _shot_points(rows)
    if len(curve) > 1:
        drawn.append(figures.shots_figure({"mean of the draws": curve}))
    last = outcome.parts[-1].predictions
    if last.kind in ("single", "multi"):
        drawn.append(figures.roc_figure(last))
        drawn.append(figures.precision_recall_figure(last))
    if last.kind == "single":
        drawn.append(figures.confusion_figure(last))
    if are_probabilities(last):
        drawn.append(figures.reliability_figure(last))
    caption = f"<h3>{html.escape(outcome.parts[-1].name)}</h3>" if len(outcome.parts) > 1 else ""
    return f'{caption}<div class="figures">{"".join(drawn)}</div>' if drawn else ""


def _shot_points(
    rows: Sequence[Row],
) -> list[tuple[float, float, float | None, float | None]]:
    points = []
    for row in rows:
        amount, _, unit = row.task.rpartition("/")[2].partition(" ")
        if unit == "shots" and row.metric == "balanced_accuracy":
            points.append((float(amount), row.value, row.low, row.high))
    return points


def _tables(rows: Sequence[Row]) -> str:
    main = [r for r in rows if "/" not in r.metric]
    classes = [r for r in rows if "/" in r.metric]
    text = _table(main)
    if classes:
        text += f"<details><summary>each class</summary>{_table(classes)}</details>"
    return text


def _table(rows: Sequence[Row]) -> str:
    names = ("part", "metric", "value", "95% interval", "", "n", "seen in training", "note")
    lines = ["<table><tr>", *(f"<th>{name}</th>" for name in names), "</tr>"]
    for r in rows:
        head = ' class="head"' if r.metric in HEADLINES else ""
        lines.append(
            f"<tr{head}><td>{html.escape(r.task.partition('/')[2])}</td>"
            f"<td>{html.escape(r.metric.replace('_', ' '))}</td>"
            f'<td class="num">{_number(r.value)}</td><td class="num">{interval(r)}</td>'
            f'<td>{_bar(r)}</td><td class="num">{r.n}</td>'
            f'<td>{html.escape(r.exposure)}</td><td class="note">{html.escape(r.note)}</td></tr>'
        )
    return "".join([*lines, "</table>"])


def _bar(row: Row) -> str:
    """The interval as a small drawing on the scale 0 to 1."""
    if row.low is None or row.high is None or not 0 <= row.value <= 1:
        return ""
    low, high, value = (120 * np.clip(x, 0, 1) for x in (row.low, row.high, row.value))
    return (
        '<svg class="bar" width="120" height="12" viewBox="0 0 120 12">'
        '<line x1="0" x2="120" y1="6" y2="6" stroke="#e3e7ec"/>'
        f'<line x1="{low:.1f}" x2="{high:.1f}" y1="6" y2="6" stroke="#2563a8" stroke-width="3"/>'
        f'<circle cx="{value:.1f}" cy="6" r="3.6" fill="#2563a8"/></svg>'
    )


def _cards(rows: Sequence[Row]) -> str:
    """One card per task: the first headline metric of its last part."""
    last = {r.task.partition("/")[0]: r.task for r in rows if r.metric in HEADLINES}
    best: dict[str, Row] = {}
    for row in rows:
        if row.metric in HEADLINES and row.task in last.values():
            best.setdefault(row.task, row)
    cards = [
        f'<div class="card"><b>{_number(r.value)}</b><span>{html.escape(r.metric.replace("_", " "))}'
        f"<br>{html.escape(r.task)}</span></div>"
        for r in list(best.values())[:_MAX_CARDS]
    ]
    return f'<div class="cards">{"".join(cards)}</div>'


def _facts(facts: Mapping[str, str]) -> str:
    return " &middot; ".join(f"{html.escape(k)} {html.escape(str(v))}" for k, v in facts.items())


def _warning(text: str) -> str:
    return f'<div class="warning">{html.escape(text)}</div>'


def _number(value: float) -> str:
    if not math.isfinite(value):
        return "n/a"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def _origin(evaluation_data: EvaluationData, dataset: str, split: str) -> str:
    licence = evaluation_data.licence(dataset, split) or "not stated"
    simulated = " Simulated images: no clinical claim." if "simulated" in dataset else ""
    return f"{dataset}: licence {licence}.{simulated}"
