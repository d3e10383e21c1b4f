# SPDX-License-Identifier: Apache-2.0
"""A comparison as one HTML page, and the same as JSON."""

import itertools
import json
import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from etils import epath

from medst_jax import __version__
from medst_jax.comparison.differences import Asked, Compared, asked_of
from medst_jax.comparison.evaluated import Evaluated
from medst_jax.evaluate.report import figures
from medst_jax.evaluate.report.chance import chance_level
from medst_jax.evaluate.statistics.rows import interval
from medst_jax.pages.blocks import Block, Cell, Details, Drawings, Page, Paragraph, Section, Table
from medst_jax.pages.render import render
from medst_jax.pages.shown import number, probability
from medst_jax.train.scalars import read_log

_LEVEL = 0.05
_FOOTER = (
    (
        "Differences are paired: each replicate of the bootstrap takes the same patients for every system. "
        "Intervals are of 95%. p is two-sided, adjusted by Holm's method over all pairs and tasks of this page."
    ),
    (
        "Intervals and p are over patients, with each system as it was trained once: another training seed can move "
        "a number as well."
    ),
)


def page(
    systems: Sequence[Evaluated], compared: Sequence[Compared], facts: Mapping[str, str]
) -> str:
    """The page as HTML text.

    Args:
      systems: two or more.
      compared: their differences.
      facts: name to value, below the heading.
    """
    asked = asked_of(systems)
    blocks: list[Block] = [
        Paragraph(_sentence(compared), "verdict"),
        *_cautions(systems, asked),
        Section("Differences", [_difference_table(compared)], "first minus second"),
        Section("Values", [_values(systems, asked)]),
        *(_classes(systems, one.part) for one in asked),
        _training(systems),
    ]
    title = "Comparison of " + ", ".join(system.name for system in systems)
    return render(Page(title, blocks, facts=[*facts.items()], footer=_FOOTER))


def content(
    systems: Sequence[Evaluated], compared: Sequence[Compared], facts: Mapping[str, str]
) -> dict[str, Any]:
    """The numbers of the page as plain values; what is not finite is None."""
    values = [
        {
            "system": system.name,
            "task": row.task,
            "metric": row.metric,
            "value": _finite(row.value),
            "low": row.low,
            "high": row.high,
            "n": row.n,
            "exposure": row.exposure,
        }
        for system in systems
        for one in asked_of(systems)
        if (row := system.row(one.part, one.metric))
    ]
    return {
        "version": __version__,
        "facts": dict(facts),
        "systems": [{"name": s.name, "source": s.source} for s in systems],
        "values": values,
        "differences": [
            {
                "task": c.asked.part,
                "metric": c.asked.metric,
                "first": c.first,
                "second": c.second,
                "difference": _finite(c.value),
                "low": _finite(c.difference.low) if c.difference else None,
                "high": _finite(c.difference.high) if c.difference else None,
                "p": c.difference.p if c.difference else None,
                "p_holm": c.p_holm,
            }
            for c in compared
        ],
    }


def _sentence(compared: Sequence[Compared]) -> str:
    tested = [c for c in compared if c.p_holm is not None]
    if not tested:
        return "No task has enough images of each class for a test."
    apart = [c for c in tested if c.p_holm is not None and c.p_holm < _LEVEL]
    counted = f"{len(apart)} of {len(tested)} differences are told apart from zero (Holm, p below {_LEVEL})"
    best: dict[str, int] = {}
    for c in apart:
        winner = c.first if (c.value > 0) is not _lower_is_better(c.asked.metric) else c.second
        best[winner] = best.get(winner, 0) + 1
    named = ", ".join(f"{name} in {count}" for name, count in best.items())
    return f"{counted}: better is {named}." if named else f"{counted}."


def _lower_is_better(metric: str) -> bool:
    return metric in ("median_rank", "calibration_error")


def _cautions(systems: Sequence[Evaluated], asked: Sequence[Asked]) -> list[Block]:
    """Systems that have, or may have, seen the test data, and tasks that only some have."""
    texts = []
    for system in systems:
        rows = [row for one in asked if (row := system.row(one.part, one.metric))]
        for exposure, verdict in (
            ("contaminated", "has seen test images in training"),
            ("unknown", "may have seen test images in training, nobody has said"),
        ):
            tasks = [row.task for row in rows if row.exposure == exposure]
            if tasks:
                texts.append(f"{system.name} {verdict}: {', '.join(tasks)}.")
    for first, second in itertools.permutations(systems, 2):
        if alone := [part for part in first.predictions if part not in second.predictions]:
            texts.append(f"Left out, for {second.name} has no such numbers: {', '.join(alone)}.")
    return [Paragraph(text, "warning") for text in dict.fromkeys(texts)]


def _difference_table(compared: Sequence[Compared]) -> Table:
    rows = [
        (
            c.asked.part,
            _words(c.asked.metric),
            c.first,
            c.second,
            Cell(f"{c.value:+.3f}", kind="strong"),
            Cell(f"{c.difference.low:+.3f} to {c.difference.high:+.3f}", kind="num")
            if c.difference
            else Cell("too few images", kind="note"),
            Cell("" if c.p_holm is None else probability(c.p_holm), kind="num"),
        )
        for c in compared
    ]
    heads = ("task", "metric", "first", "second", "difference", "95% interval", "p (Holm)")
    return Table(heads, rows)


def _values(systems: Sequence[Evaluated], asked: Sequence[Asked]) -> Table:
    lines = []
    for one in asked:
        # Of retrieval it is not known: no file says which texts are equal.
        level = chance_level(one.metric, systems[0].predictions[one.part])
        for system in systems:
            row = system.row(one.part, one.metric)
            if row is None:
                continue
            lines.append(
                (
                    one.part,
                    _words(one.metric),
                    system.name,
                    Cell(number(float(row.value)), kind="num"),
                    Cell(interval(row), kind="num"),
                    Cell("" if level is None else number(float(level)), kind="num"),
                    row.n,
                    row.exposure,
                )
            )
    heads = ("task", "metric", "system", "value", "95% interval", "chance", "n", "seen in training")
    return Table(heads, lines)


def _classes(systems: Sequence[Evaluated], part: str) -> Section:
    """The area under the ROC curve of each class, systems beside each other."""
    classes = systems[0].predictions[part].classes
    areas: dict[str, list[float]] = {}
    for system in systems:
        rows = [system.row(part, f"auroc/{name}") for name in classes]
        if any(rows):
            areas[system.name] = [row.value if row else math.nan for row in rows]
    if not areas or not classes:
        return Section(part, [])
    lines = [
        (name, *(Cell(number(values[k]), kind="num") for values in areas.values()))
        for k, name in enumerate(classes)
    ]
    note = "area under the ROC curve of each class; the line is chance"
    table = Details("the numbers", [Table(("class", *areas), lines)])
    return Section(part, [Drawings([figures.classes_figure(areas, classes)]), table], note)


def _training(systems: Sequence[Evaluated]) -> Section:
    """Loss and values on validation data over the steps, of systems trained on this machine."""
    curves: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for system in systems:
        for line in read_log(epath.Path(system.workdir)) if system.workdir else ():
            for name, value in line.items():
                if (name == "loss" or "/" in name) and math.isfinite(value):
                    curve = curves.setdefault(name, {}).setdefault(system.name, [])
                    curve.append((line["step"], value))
    drawn = [
        figures.step_figure(of_systems, "training loss" if name == "loss" else name)
        for name, of_systems in curves.items()
    ]
    return Section("Training", [Drawings(drawn)] if drawn else [])


def _words(metric: str) -> str:
    return metric.replace("_", " ")


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def write(
    folder: pathlib.Path,
    systems: Sequence[Evaluated],
    compared: Sequence[Compared],
    facts: Mapping[str, str],
) -> None:
    """Write comparison.html and comparison.json."""
    (folder / "comparison.html").write_text(page(systems, compared, facts), encoding="utf-8")
    text = json.dumps(content(systems, compared, facts), indent=1, allow_nan=False)
    (folder / "comparison.json").write_text(text + "\n", encoding="utf-8")
