# SPDX-License-Identifier: Apache-2.0
"""A suite of a published benchmark: what it must state, its tables, and the data it asks for."""

import copy
import importlib
import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from medst_jax.data.records.downloads import DOWNLOADS
from medst_jax.data.records.studies import prepare_line
from medst_jax.data_pipelines.fixture import write_fixture
from medst_jax.data_pipelines.registry import DATASETS
from medst_jax.evaluate.published.availability import availability, format_availability
from medst_jax.evaluate.published.comparison import (
    NOTHING,
    format_comparison,
    format_exposures,
    our_cells,
)
from medst_jax.evaluate.published.needs import Need, needs_of
from medst_jax.evaluate.published.table import Column, PublishedRow, PublishedTable
from medst_jax.evaluate.report.page import ReportOptions, render
from medst_jax.evaluate.statistics.rows import Row
from medst_jax.evaluate.subjects.cautions import SystemUnderTest
from medst_jax.evaluate.suite import parse_suite, run_suite
from medst_jax.options import OptionError
from tests.evaluate.fakes import context, pointing, studies
from tests.parallel.together import ROOT

NAMES = ("East", "North")
DESIGN = {
    "unit": "study",
    "views": "the first frontal image",
    "excluded": "studies of neither",
    "split": "the test split",
    "thresholds": "none",
}
TABLE = {
    "title": "Table 9",
    "source": "Nobody et al., 1999",
    "caption": "ACA, %.",
    "columns": (
        {"name": "A", "task": "names", "metric": "balanced_accuracy", "group": "zero-shot"},
        {"name": "B", "task": "names", "metric": "auroc", "digits": 1, "group": "zero-shot"},
        {"name": "mean", "mean_of": ("A", "B")},
    ),
    "rows": ({"method": "OLD", "values": (12.345, "60.57 ± 1.18", None)},),
}
SUITE = {
    "draws": 20,
    "tasks": {
        "names": {
            "protocol": "zero_shot",
            "task": {"dataset": "fake", "classes": NAMES},
            "mode": "text",
            "prompts": "names",
        }
    },
    "benchmark": {
        "title": "The compass",
        "source": "Nobody et al., A compass, 1999",
        "designs": {"fake": DESIGN},
        "tables": (TABLE,),
        "departures": ("The needle is painted.",),
        "not_offered": ("South: nobody published it.",),
    },
}
SUITES = sorted(
    p.stem for p in (ROOT / "configs/evaluate").glob("*.py") if "def get_config" in p.read_text()
)


def _changed(**changes):
    suite = copy.deepcopy(SUITE)
    for key, value in changes.items():
        suite["benchmark"][key] = value
    return suite


@pytest.mark.parametrize("name", DESIGN)
def test_every_statement_is_required(name: str) -> None:
    lacking = {key: value for key, value in DESIGN.items() if key != name}
    with pytest.raises(OptionError, match=rf"designs\.fake\.{name} is required"):
        parse_suite(_changed(designs={"fake": lacking}))
    with pytest.raises(OptionError, match="must be one of|is empty"):
        parse_suite(_changed(designs={"fake": {**DESIGN, name: " "}}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"designs": {}}, "designs lacks 'fake', whose units the suite judges"),
        ({"designs": {"fake": DESIGN, "other": DESIGN}}, "designs.other: no task"),
        ({"tables": ({**TABLE, "columns": TABLE["columns"][:2]},)}, "'OLD' has 3 values for 2"),
        ({"tables": ({**TABLE, "rows": ({"method": "M", "values": ()},)},)}, "'M' has 0 values"),
        (
            {"tables": ({**TABLE, "columns": ({"name": "A", "task": "x", "metric": "m"},)},)},
            "column 'A': the suite has no task 'x'",
        ),
        ({"tables": ({**TABLE, "columns": ({"name": "A", "task": "names"},)},)}, "go together"),
        ({"tables": ({**TABLE, "columns": ({"name": "A", "mean_of": ("C",)},)},)}, "mean of 'C'"),
    ],
)
def test_wrong_benchmarks_are_named(changes: dict, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        parse_suite(_changed(**changes))


def _row(task: str, metric: str, value: float, low=None, high=None, note="", seen="clean") -> Row:
    return Row("s", "d", task, "p", metric, value, low, high, 9, 0, note, seen)


def test_our_row_stands_above_the_published_ones() -> None:
    columns = (
        Column("A", "t/one", "auroc", group="few"),
        Column("B", "t/two", "auroc", group="few", digits=1),
        Column("raw", "u", "cnr", scale=1.0, digits=3),
        Column("absent", "t/three", "auroc"),
        Column("raw", "t/one", "accuracy", group="many"),  # a name of another group too
        Column("mean", mean_of=("A", "B")),
        Column("mean of means", mean_of=("mean", "A")),
        Column("of absent", mean_of=("A", "absent")),
    )
    table = PublishedTable("T", "S", columns, (PublishedRow("OLD", (1.0, "x", *[None] * 6)),), "C")
    rows = [
        _row("t/one", "auroc", 0.51234, 0.4, 0.6, "contaminated", "contaminated"),
        _row("t/one", "accuracy", 0.9),
        _row("t/two", "auroc", 0.7),
        _row("u", "cnr", 1.2345),
    ]
    cells = our_cells(table, rows)
    assert [c.value for c in cells] == [
        "51.23",
        "70.0",
        "1.234",
        NOTHING,
        "90.00",
        "60.62",
        "55.93",
        NOTHING,
    ]
    assert (cells[0].interval, cells[0].note) == ("40.00 to 60.00", "contaminated")
    assert cells[1].interval == ""
    # A mean is as its worst column.
    assert [c.exposure for c in cells] == [
        "contaminated",
        "clean",
        "clean",
        "",
        "clean",
        "contaminated",
        "contaminated",
        "",
    ]
    assert format_exposures(table, rows).splitlines() == [
        "seen in training, contaminated: few A, mean, mean of means",
        "seen in training, clean: few B, raw, many raw",
    ]
    text = format_comparison(table, "ours", rows, grey=True).splitlines()
    assert (
        text[0] == "T (S): C" and "few" in text[1] and text[2].split()[:3] == ["method", "A", "B"]
    )
    assert text[-2].split()[:3] == ["ours", "51.23", "70.0"]
    assert text[-1].startswith("\x1b[90mOLD") and text[-1].split()[1:3] == ["1.00", "x"]
    assert "\x1b" not in format_comparison(table, "ours", rows, grey=False)


def test_the_report_shows_designs_and_tables() -> None:
    codes = np.eye(2, dtype=int)[np.arange(60) % 2]
    directions = np.random.default_rng(0).integers(1, 100, (60, 3))
    directions[:, :2] += codes * 80
    bench = context(studies(pointing(directions), NAMES, codes))
    options, tasks = parse_suite(SUITE)
    system = SystemUnderTest("s")
    result = run_suite(options, tasks, bench, system)
    page = render(ReportOptions("t", benchmark=options.benchmark), result, bench.data, system)
    for text in (
        "Table 9",
        "60.57 ± 1.18",
        "12.35",
        'class="grey"',
        "painted",
        "South",
        *DESIGN.values(),
    ):
        assert text in page, text
    value = next(r.value for r in result.rows if r.metric == "balanced_accuracy")
    assert f'<td class="num">{100 * value:.2f}<br>' in page
    assert "Table 9" not in render(ReportOptions("t"), result, bench.data, system)


def test_needs_are_those_of_the_protocols() -> None:
    tasks = {
        "a": {"protocol": "zero_shot", "task": {"dataset": "d"}, "train": {"dataset": "e"}},
        "b": {"protocol": "phrase_grounding", "dataset": "d", "train_dataset": "d"},
        "c": {"protocol": "temporal_classification", "dataset": "d", "changes": "labels"},
        "d": {"protocol": "temporal_classification", "dataset": "d", "split": "all"},
        "e": {"protocol": "sentence_similarity", "dataset": "s"},
    }
    assert needs_of(tasks) == (
        Need("d", "test", "studies", True),
        Need("e", "test", "studies", False),
        Need("d", "test", "phrases", True),
        Need("d", "train", "studies", False),
        Need("d", "train", "phrases", False),
        Need("d", "all", "studies", True),
        Need("d", "all", "image_pairs", True),
        Need("s", "test", "sentence_pairs", True),
    )


@pytest.mark.parametrize("name", SUITES)
def test_every_suite_parses_and_its_needs_are_complete(name: str) -> None:
    suite = importlib.import_module(f"medst_jax.configs.evaluate.{name}").get_config(None)
    options, tasks = parse_suite(suite)
    found = {(need.dataset, need.split) for need in needs_of(options.tasks)}
    assert {need for task in tasks.values() for need in task.needs()} <= found
    real = {dataset for dataset, _ in found if dataset in DOWNLOADS}
    assert not real or options.benchmark is not None, f"{name} judges on {real}"


def test_availability_names_what_is_there_and_the_command_for_the_rest(
    tmp_path: pathlib.Path,
) -> None:
    result = write_fixture(tmp_path, splits=("train", "test"))
    card = result.directory / "data_card.json"
    card.write_text(json.dumps({**json.loads(card.read_text()), "rule": "published"}))
    tasks = {
        "a": {"protocol": "zero_shot", "task": {"dataset": "fixture"}},
        "b": {"protocol": "phrase_grounding", "dataset": "fixture", "train_dataset": "ms_cxr"},
        "c": {"protocol": "retrieval", "dataset": "fixture", "split": "val"},
        "d": {"protocol": "retrieval", "dataset": "simulated_cxr_m"},
    }
    found = {(a.need.dataset, a.need.split, a.need.kind): a for a in availability(tasks, tmp_path)}
    there = found["fixture", "test", "studies"]
    studies_there = result.info["splits"]["test"]["studies"]
    assert there.there and f"{studies_there} studies" in there.found
    assert there.lists == "rule: published"
    assert not found["fixture", "test", "phrases"].there
    absent = found["fixture", "val", "studies"]
    assert not absent.there and absent.found == "splits test, train"
    assert (
        "--dataset=ms_cxr --source_dir=FOLDER_OF_MS_CXR" in found["ms_cxr", "train", "phrases"].line
    )
    text = format_availability("T", list(found.values()), tmp_path)
    assert text.startswith("T: 1 of ") and text.count("--dataset=ms_cxr ") == 1
    assert text.count("--dataset=simulated_cxr ") == 1


def test_downloads_are_the_data_sets_of_prepare() -> None:
    made = {"simulated_cxr", "simulated_knowledge"}
    assert set(DOWNLOADS) == set(DATASETS) - made - {"image_table"}
    for name in made:
        assert prepare_line("data", name).endswith(f"--dataset={name} --data_dir=data")


# Runs `evaluate.py --dry_run` for every suite, then names the heavy modules that it imported.
RUNNER = """
import runpy, sys
sys.argv = ["launch/evaluate.py", "--suite=" + sys.argv[1], "--data_dir=" + sys.argv[2], "--dry_run"]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
except SystemExit as end:
    print("code", end.code)
print("imported", *[n for n in ("jax", "flax", "tensorflow", "beam") if n in sys.modules])
"""


@pytest.mark.parametrize(
    "name",
    [s for s in SUITES if "benchmark" in (ROOT / f"configs/evaluate/{s}.py").read_text()]
    or ["smoke"],
)
def test_dry_run_imports_no_jax(name: str, tmp_path: pathlib.Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RUNNER, name, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    *lines, code, imported = done.stdout.splitlines()
    assert (code, imported) == ("code None", "imported"), done.stdout
    assert "0 of" in lines[0] and any("prepare.py --dataset=" in line for line in lines)
