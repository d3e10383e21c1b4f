# SPDX-License-Identifier: Apache-2.0
"""A whole suite: rows, notes, skipped tasks, and what the report may show."""

import copy
import json
import math
import pathlib

import numpy as np
import pytest

from medst_jax.evaluate.report.page import ReportOptions, render
from medst_jax.evaluate.statistics.rows import format_table, read_rows, write_rows
from medst_jax.evaluate.subjects.cautions import POSSIBLY_CONTAMINATED, SystemUnderTest, cautions
from medst_jax.evaluate.suite import parse_suite, run_suite
from medst_jax.options import OptionError
from tests.evaluate.fakes import ImageOnlySystem, context, pointing, studies

NAMES = ("East", "North")
SUITE = {
    "draws": 40,
    "tasks": {
        "names": {
            "protocol": "zero_shot",
            "task": {"dataset": "fake", "classes": NAMES},
            "mode": "text",
            "prompts": "names",
        },
        "probe": {
            "protocol": "linear_probe",
            "task": {"dataset": "fake", "classes": NAMES},
            "shots": (1, 4),
            "draws": 2,
        },
        "reports": {"protocol": "retrieval", "dataset": "fake"},
    },
}


def _bench(system=None, **changes):
    rng = np.random.default_rng(0)
    codes = np.eye(2, dtype=int)[np.arange(90) % 2]
    directions = rng.integers(1, 100, (90, 3))
    directions[:, :2] += codes * 80
    reports = tuple(f"east secretword number {i}" for i in range(90))
    some = studies(pointing(directions), NAMES, codes, reports=reports, **changes)
    return context(some, system=system)


def _run(suite_context, system=None):
    options, tasks = parse_suite(SUITE)
    return run_suite(options, tasks, suite_context, system or SystemUnderTest("fake_system", 3))


def test_rows_have_the_published_fields(tmp_path: pathlib.Path) -> None:
    result = _run(_bench())
    write_rows(tmp_path / "metrics.json", result.rows)
    content = json.loads((tmp_path / "metrics.json").read_text())
    fields = {
        "system",
        "dataset",
        "task",
        "protocol",
        "metric",
        "value",
        "low",
        "high",
        "n",
        "seed",
    }
    assert all(fields <= set(row) for row in content)
    assert read_rows(tmp_path / "metrics.json") == list(result.rows)
    main = next(r for r in result.rows if (r.task, r.metric) == ("names", "balanced_accuracy"))
    assert main.low < main.value < main.high and main.n == 90 and main.seed == 3
    small = [r for r in result.rows if r.task == "probe/4 shots" and r.metric == "auroc"]
    assert small[0].n == 18 and small[0].note == "n too small" and small[0].low is None
    assert "recall@1" in format_table(result.rows)
    assert set(result.predictions) == {
        "names",
        "probe/1 shots",
        "probe/4 shots",
        "reports/image to text",
        "reports/text to image",
    }


def test_a_task_that_fails_is_a_row_and_the_others_are_kept(caplog) -> None:
    suite = copy.deepcopy(SUITE)
    elsewhere = {"dataset": "fake", "classes": ("East", "Nowhere")}
    suite["tasks"] = {
        "broken": {**SUITE["tasks"]["names"], "task": elsewhere},
        "names": SUITE["tasks"]["names"],
    }
    options, tasks = parse_suite(suite)
    suite_context = _bench()
    result = run_suite(options, tasks, suite_context, SystemUnderTest("fake", 3))
    assert set(result.outcomes) == {"names"} and set(result.failed) == {"broken"}
    (failed,) = [row for row in result.rows if row.metric == "failed"]
    assert (failed.task, failed.protocol, failed.dataset, failed.n) == (
        "broken",
        "zero_shot",
        "fake",
        0,
    )
    assert math.isnan(failed.value) and "Nowhere" in failed.note and "\n" not in failed.note
    page = render(ReportOptions("t"), result, suite_context.data, SystemUnderTest("fake"))
    assert "broken: failed. " in page
    with pytest.raises(ValueError, match="Nowhere"):  # nothing is left to keep
        run_suite(options, {"broken": tasks["broken"]}, suite_context, SystemUnderTest("fake"))


def test_a_fault_of_the_code_is_logged_and_its_words_are_not_shown(caplog, monkeypatch) -> None:
    options, tasks = parse_suite(SUITE)
    suite_context = _bench()

    def fail(*_args, **_options):
        raise RuntimeError("a sentence of a report")

    monkeypatch.setattr(type(suite_context.embedder), "texts", fail)
    result = run_suite(options, tasks, suite_context, SystemUnderTest("fake"))
    assert set(result.failed) == {"names", "reports"}
    assert set(result.failed.values()) == {"RuntimeError, see the log"}
    assert {row.task.partition("/")[0] for row in result.rows} == {"probe", "names", "reports"}
    assert "task names failed" in caplog.text


def test_what_a_system_lacks_is_skipped_with_its_reason() -> None:
    result = _run(_bench(ImageOnlySystem()))
    assert set(result.skipped) == {"names", "reports"}
    assert {row.protocol for row in result.rows} == {"linear_probe"}


@pytest.mark.parametrize(
    ("exclude", "trained", "marked"),
    [
        ({"fake": "digest"}, {"other": "train"}, False),
        ({"fake": "of an older build"}, {"other": "train"}, True),
        ({}, {"other": "train"}, True),
        ({"fake": "digest"}, {"fake": "test"}, True),
        ({"fake": "digest"}, {"fake": "train"}, False),
    ],
)
def test_contamination(exclude: dict, trained: dict, marked: bool) -> None:
    stamp = {"exclude": exclude, "intensity": {"other": "minmax"}}
    system = SystemUnderTest("s", stamp=stamp, trained=trained)
    suite_context = _bench()
    result = _run(suite_context, system)
    assert all(("contaminated" in row.note) == marked for row in result.rows)
    assert {row.exposure for row in result.rows} == {"contaminated" if marked else "clean"}
    page = render(ReportOptions("t"), result, suite_context.data, system)
    assert ("marked contaminated" in page) == marked
    assert ("<td>contaminated</td>" in page) == marked == ("<td>clean</td>" not in page)


@pytest.mark.parametrize(
    ("row", "trained", "noted"),
    [
        (("fake", "other", "new"), {"other": "train"}, True),
        (("other", "fake", "new"), {"other": "train"}, True),
        (("fake", "other", "same"), {"other": "train"}, False),
        (("fake", "other", "new"), {"third": "train"}, False),
    ],
)
def test_images_under_other_ids_are_possibly_contaminated(
    row: tuple, trained: dict, noted: bool
) -> None:
    context = _bench()
    studies = context.data.studies("fake", "test")
    studies.info["overlaps"] = [dict(zip(("part", "whole", "ids"), row, strict=True))]
    studies.info["cautions"] = {"patients unknown": "nobody published them"}
    stamp = {"exclude": {"fake": "digest"}, "intensity": {"other": "minmax"}}
    notes = cautions(studies, "digest", SystemUnderTest("s", stamp=stamp, trained=trained))
    assert (POSSIBLY_CONTAMINATED in notes) == noted
    assert "nobody published them" in notes["patients unknown"]


def test_intensity_is_compared() -> None:
    stamp = {"exclude": {"fake": "digest"}, "intensity": {"other": "voi_lut"}}
    suite_context, system = _bench(), SystemUnderTest("s", stamp=stamp)
    result = _run(suite_context, system)
    assert all("intensity differs" in row.note for row in result.rows)
    assert "voi_lut" in render(ReportOptions("t"), result, suite_context.data, system)


@pytest.mark.parametrize(
    ("redistributable", "include", "shown"),
    [(True, False, True), (False, False, False), (False, True, True)],
)
def test_report_shows_pixels_and_text_only_where_allowed(
    redistributable: bool, include: bool, shown: bool
) -> None:
    suite_context = _bench(redistributable=redistributable)
    system = SystemUnderTest("s")
    options = ReportOptions("A title", {"step": "5"}, include_restricted=include)
    page = render(options, _run(suite_context, system), suite_context.data, system)
    assert ("secretword" in page) == shown
    assert ("data:image" in page) == shown
    assert "A title" in page and "<svg" in page
    assert "http://" not in page.replace("http://www.w3.org", "") and "<script" not in page


def test_wrong_suites_are_named() -> None:
    with pytest.raises(OptionError, match="suite.tasks.a.protocol is 'zeroshot'"):
        parse_suite({"tasks": {"a": {"protocol": "zeroshot"}}})
    with pytest.raises(OptionError, match="suite.tasks.a.task.splits"):
        task = {"dataset": "d", "splits": "test"}
        parse_suite({"tasks": {"a": {"protocol": "zero_shot", "task": task}}})


def test_heat_maps_show_where_a_class_is_seen() -> None:
    suite = copy.deepcopy(SUITE)
    suite["tasks"] = {"names": {**SUITE["tasks"]["names"], "heat_maps": True}}
    suite_context = _bench()
    options, tasks = parse_suite(suite)
    result = run_suite(options, tasks, suite_context, SystemUnderTest("fake"))
    outcome = result.outcomes["names"]
    scores = outcome.parts[0].predictions.scores[0]
    assert outcome.localization is not None and outcome.localization.classes == NAMES
    np.testing.assert_array_equal(
        outcome.localization.rows, outcome.parts[0].rows[scores.argmax(0)]
    )
    # The fake system has one patch, which is the whole image: its map is the score everywhere.
    np.testing.assert_allclose(outcome.localization.maps[:, 0, 0], scores.max(0), atol=1e-5)
    page = render(ReportOptions("t"), result, suite_context.data, SystemUnderTest("fake"))
    assert page.count('alt="heat map"') == 2
    assert 'alt="heat map"' not in render(
        ReportOptions("t"), _run(suite_context), suite_context.data, SystemUnderTest("fake")
    )
