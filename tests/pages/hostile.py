# SPDX-License-Identifier: Apache-2.0
"""The four pages with labels, reports, names and paths that try to be more than text."""

import pathlib

import numpy as np

from medst_jax.comparison.differences import differences
from medst_jax.comparison.evaluated import Evaluated
from medst_jax.comparison.page import page as comparison_page
from medst_jax.data_pipelines.build import BuildOptions, build
from medst_jax.data_pipelines.image_table.source import ImageTable
from medst_jax.data_pipelines.run_banks import Runner
from medst_jax.evaluate.report.page import ReportOptions
from medst_jax.evaluate.report.page import render as evaluation_page
from medst_jax.evaluate.statistics.measure import measure
from medst_jax.evaluate.statistics.predictions import Predictions
from medst_jax.evaluate.statistics.rows import Row as MeasuredRow
from medst_jax.evaluate.subjects.cautions import SystemUnderTest
from medst_jax.evaluate.suite import parse_suite, run_suite
from medst_jax.reality_check.cells import Cell, RowSpec
from medst_jax.reality_check.groups import by_group
from medst_jax.reality_check.page import page as reality_check_page
from medst_jax.reality_check.results import Result, Row, Table
from medst_jax.reality_check.statistics import bootstrap_replicates, difference, estimate
from tests.data_pipelines.tables import rows, write_table
from tests.evaluate.fakes import FakeSystem, context, pointing, studies

SCRIPT = "<script>window.hacked=1</script>"
IMAGE = '"><img src=x onerror="window.hacked=1">'
STYLE = "</style></svg></title><script>window.hacked=1</script>"
LINK = "javascript:window.hacked=1"
TEMPLATE = "{{ 7*7 }}{% for x in y %}"
LONG = "Very_long_name_without_blanks_" * 12
RIGHT_TO_LEFT = "תפליט פלאורלי"
TURNED = "turned \u202e round"
NAMES = (SCRIPT, IMAGE, STYLE, "a$\\frac$b", "_hidden", LONG, RIGHT_TO_LEFT, TEMPLATE)
REPORTS = tuple(f"No edema {text} number {k}." for k in range(13) for text in NAMES)


def evaluation() -> str:
    """The report of a system, its data, classes and reports of such names."""
    count = len(REPORTS)
    codes = np.eye(len(NAMES), dtype=int)[np.arange(count) % len(NAMES)]
    directions = np.random.default_rng(0).integers(1, 200, (count, 3))
    some = studies(pointing(directions), NAMES, codes, reports=REPORTS, redistributable=True)
    task = {"dataset": "fake", "split": "test", "classes": NAMES}
    own = {name: (name,) for name in NAMES}
    suite = {
        "tasks": {
            SCRIPT: {"protocol": "zero_shot", "mode": "text", "task": task, "own_prompts": own},
            "reports": {"protocol": "retrieval", "dataset": "fake", "split": "test"},
        },
        "draws": 20,
    }
    made = context(some, system=FakeSystem())
    options, tasks = parse_suite(suite)
    system = SystemUnderTest(IMAGE, trained={STYLE: "train"})
    result = run_suite(options, tasks, made, system)
    result.skipped[STYLE] = f"cannot: {SCRIPT}"
    shown = ReportOptions(
        title=f"Evaluation of {IMAGE}", facts={SCRIPT: f"/runs/{STYLE}"}, tasks=tasks
    )
    return evaluation_page(shown, result, made.data, system)


def data_card(folder: pathlib.Path) -> str:
    """The card of a data set whose labels and reports are such."""
    table = [
        {
            **row,
            "patient_id": f"p{k // 3}",
            "labels": NAMES[k % len(NAMES)],
            "report": REPORTS[k],
            "split": "train" if k < 18 else "test",
        }
        for k, row in enumerate(rows(24))
    ]
    source = ImageTable(str(write_table(folder / "in", table)), name="mine")
    options = BuildOptions(runner=Runner(workers=1), include_restricted=True)
    directory = build(source, folder, options).directory
    return (directory / "data_card.html").read_text()


def reality_check() -> str:
    """The page of a check whose systems, mixtures, columns and cells have such names."""
    predictions = _predictions()
    sampled = bootstrap_replicates(predictions, "balanced_accuracy", replicates=20)
    groups = by_group([predictions], "balanced_accuracy")
    lines = [
        Row(
            RowSpec(name, TURNED + name, SCRIPT, False, (Cell(LINK, "clip", (name,), 0),), STYLE),
            {IMAGE: Result(estimate(sampled), difference(sampled, sampled), 0.0, groups, SCRIPT)},
            {},
            {},
            {SCRIPT: [(1, 0.5), (16, 0.75)]},
            dict.fromkeys(NAMES, 0.6),
        )
        for name in NAMES
    ]
    missing = Row(RowSpec(SCRIPT, "", "", True, ()), {}, {IMAGE: f"failed: {STYLE}"}, {})
    mentions = dict.fromkeys(NAMES, 0.01)
    table = Table({IMAGE: SCRIPT}, (*lines, missing), (STYLE,), {SCRIPT: STYLE}, mentions)
    return reality_check_page(IMAGE, table, SCRIPT, {"data": f"/data/{SCRIPT}"})


def comparison() -> str:
    """The page of two systems whose tasks and classes have such names."""
    count, rng = 60, np.random.default_rng(0)
    targets = rng.integers(0, 2, (count, len(NAMES))).astype(np.int8)
    systems = []
    for name in (IMAGE, TURNED):
        scores = rng.normal(size=(1, *targets.shape)).astype(np.float32)
        made = Predictions("multi", np.arange(count), targets, scores, NAMES)
        rows = [
            MeasuredRow(name, STYLE, SCRIPT, LINK, *m[:5], seed=0)
            for m in measure(made, replicates=20)
        ]
        systems.append(Evaluated(name, LINK, rows, {SCRIPT: made}))
    facts = {SCRIPT: f"/runs/{TEMPLATE}"}
    return comparison_page(systems, differences(systems, replicates=20), facts)


def _predictions() -> Predictions:
    count = 240
    rng = np.random.default_rng(0)
    views = np.where(rng.random(count) < 0.5, "PA", SCRIPT)
    scores = rng.normal(size=(1, count, 2)).astype(np.float32)
    return Predictions(
        "single", np.arange(count), np.arange(count) % 2, scores, NAMES[:2], {"view": views}
    )
