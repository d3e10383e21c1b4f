# SPDX-License-Identifier: Apache-2.0
"""The table and its page, from cells with known predictions."""

import dataclasses
import json
from html.parser import HTMLParser

import pytest

from medst_jax.configs import clip
from medst_jax.evaluate.statistics.rows import read_rows, write_rows
from medst_jax.options import OptionError
from medst_jax.reality_check.cells import needed_cells, row_specs
from medst_jax.reality_check.options import ControlOptions
from medst_jax.reality_check.page import page
from medst_jax.reality_check.record import CELL, CellError, digest, digest_of
from medst_jax.reality_check.results import ORACLE, tabulate, to_json
from medst_jax.reality_check.runner import budget
from tests.reality_check.stand_ins import NEEDS, SITES, C, M, cell_runner, options, rows, table_of


def test_rows_hold_values_intervals_and_differences(runner) -> None:
    table = table_of(runner)
    found = {(r.spec.name, r.spec.mixture, r.spec.reading): r for r in table.rows}
    assert found["clip", "M+C", "own"].results == found["clip", "M", "all"].results
    result = found["dlilp", "M+C", "all"].results["names"]
    assert result.estimate.test[0] < result.estimate.value < result.estimate.test[1]
    assert result.against is not None and result.against.low > 0
    assert result.adjusted is not None and result.adjusted >= result.against.p
    assert found["random", "M", "all"].results["names"].against is None
    assert found[ORACLE, "none", "all"].results["names"].estimate.value == 1.0
    assert found["clip", "M", "all"].missing["prototypes"] == "clip has no prototypes"
    assert found["clip", "M", "all"].facts["examples_per_second"] == 100.5
    assert table.fingerprints == {M: "abc"}


def test_a_control_that_wins_is_said_first(runner) -> None:
    table = table_of(runner)
    (warning,) = table.warnings
    assert warning.startswith("prototypes: the control 'all pixels'")
    text = page("Check", table, "random", {})
    assert text.index('class="warning"') < text.index("leaderboard")


def test_a_system_is_no_contestant_against_itself_as_a_control(runner) -> None:
    supervised = dict(system="dlilp", mixture="M")
    controls = {
        "supervised": supervised,
        "random": dict(system="dlilp", mixture="M", flags=("--x=1",)),
    }
    check = dataclasses.replace(
        options(), controls={n: ControlOptions(**c) for n, c in controls.items()}, baselines=()
    )
    table = tabulate(check, row_specs(check, SITES, NEEDS), runner, replicates=20, seed=0)
    by_row = {(r.spec.name, r.spec.mixture): r for r in table.rows if r.spec.reading != "own"}
    assert by_row["supervised", "M"].spec.cells == by_row["dlilp", "M"].spec.cells
    # On M+C the same system was trained on more, and wins.
    assert not table.warnings
    one = dataclasses.replace(check, mixtures={"M": (M,)}, systems=("clip", "dlilp"))
    (warning,) = tabulate(one, row_specs(one, SITES, NEEDS), runner, replicates=20, seed=0).warnings
    assert warning.startswith("names: the control 'supervised'") and "is clip on M" in warning


def test_cells_that_are_not_done_are_named(runner) -> None:
    (runner.folder(needed_cells(rows())[0]) / "evaluation" / "metrics.json").unlink()
    row = next(r for r in table_of(runner).rows if r.spec.name == "clip" and r.spec.mixture == "M")
    assert not row.results and row.missing["names"].startswith("not done: clip-")
    assert "1 to train" in budget(needed_cells(rows()), len(needed_cells(rows())) - 1, 60.0)


def _change_rows(runner, name: str, **changes) -> None:
    file = runner.output / "cells" / name / "evaluation" / "metrics.json"
    write_rows(file, [dataclasses.replace(row, **changes) for row in read_rows(file)])


def test_numbers_say_whether_their_images_were_seen(runner) -> None:
    _change_rows(runner, f"clip-{M}+{C}-1", exposure="contaminated")  # one seed of two
    table = table_of(runner)
    found = {(r.spec.name, r.spec.mixture, r.spec.reading): r.results for r in table.rows}
    assert found["clip", "M", "all"]["names"].exposure == "clean"
    assert found["dlilp", "M", "all"]["prototypes"].exposure == "unknown"
    assert found["clip", "M+C", "prompts"]["names"].exposure == "contaminated"
    assert found[ORACLE, "none", "all"]["names"].exposure == ""
    assert "names: clip on M+C was trained on these images" in " ".join(table.warnings)
    text = page("Check", table, "random", {})
    assert all(f"<td>{seen}</td>" in text for seen in ("clean", "unknown", "contaminated"))
    assert "balanced accuracy (chance 0.333)" in text
    assert "<small>contaminated</small>" in text and "<small>clean</small>" not in text
    stored = json.loads(to_json(table))["rows"]
    assert {c["exposure"] for row in stored for c in row["columns"].values()} == {
        "clean",
        "unknown",
        "contaminated",
        "",
    }


def test_a_cell_with_a_failed_task_is_not_done(runner) -> None:
    cell = needed_cells(rows())[0]
    assert runner.done(cell)
    _change_rows(runner, cell.name, metric="failed")
    assert not runner.done(cell)


def test_the_numbers_are_strict_json(runner) -> None:
    content = json.loads(to_json(table_of(runner)))
    assert content["chance"]["names"] == 1 / 3
    clip = content["rows"][0]
    assert clip["system"] == "clip" and clip["cells"] == [f"clip-{M}-0", f"clip-{M}-1"]
    assert set(clip["columns"]["names"]) == {
        "estimate",
        "against",
        "adjusted",
        "groups",
        "exposure",
    }


class Links(HTMLParser):
    """Checks that tags close and collects links."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.targets: list[str] = []

    def handle_starttag(self, tag: str, attrs) -> None:
        if tag == "a":
            self.targets.append(dict(attrs)["href"])
        if tag not in ("meta", "br", "path", "use", "line", "circle"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("path", "use", "line", "circle"):
            assert self.open.pop() == tag


def test_the_page_is_whole_and_its_links_lead_to_cells(runner) -> None:
    text = page("Check <&>", table_of(runner), "random", {"date": "today"})
    parser = Links()
    parser.feed(text)
    assert (
        not parser.open and "Check &lt;&amp;&gt;" in text and "http:" not in text.split("<svg")[0]
    )
    numbers = [t for t in parser.targets if t.endswith("metrics.json")]
    assert numbers and all((runner.output / t).exists() for t in numbers)


def test_a_cell_that_fails_names_its_log(tmp_path) -> None:
    launch = tmp_path / "launch"
    launch.mkdir()
    (launch / "train.py").write_text("import sys; print('bad'); sys.exit(3)\n")
    runner = cell_runner(tmp_path)
    cell = needed_cells(rows())[0]
    with pytest.raises(CellError, match=r"ended with code 3; see .*output\.txt"):
        runner.finish([cell])
    assert "bad" in (runner.folder(cell) / "output.txt").read_text()
    assert not (runner.folder(cell) / "claim.json").exists()


def test_cells_are_trained_then_evaluated_once(tmp_path) -> None:
    launch = tmp_path / "launch"
    launch.mkdir()
    script = "import pathlib, sys\nprint(*sys.argv)\n"
    (launch / "train.py").write_text(script)
    (launch / "evaluate.py").write_text(
        script
        + "out = pathlib.Path(next(a for a in sys.argv if '--output' in a).partition('=')[2])\n"
        "out.mkdir(parents=True)\n(out / 'metrics.json').write_text('[]')\n"
    )
    runner = cell_runner(tmp_path, "suite.py:quick", "--more=1")
    cells = [c for c in needed_cells(rows()) if c.evaluate or c.name == f"clip-{M}+{C}-1"]
    runner.finish(cells)
    runner.finish(cells)
    trained, evaluated = (runner.folder(cells[0]) / "output.txt").read_text().splitlines()
    assert f"clip.py:tiny,{M}+{C}" in trained and "--config.seed=1" in trained
    assert "--more=1" in trained and "--suite=suite.py:quick" in evaluated
    (only,) = (runner.folder(cells[1]) / "output.txt").read_text().splitlines()
    assert "--baseline=all_pixels" in only


def test_a_folder_of_another_cell_is_refused_with_what_differs(tmp_path, runner) -> None:
    cell = needed_cells(rows())[0]
    assert runner.done(cell)
    other = dataclasses.replace(runner, digest="other")
    with pytest.raises(CellError, match=r"suite = 'digest', now it is 'other'; delete this folder"):
        other.done(cell)
    with pytest.raises(CellError, match=r"flags = \[\], now it is \['--config.train.steps=9'\]"):
        dataclasses.replace(runner, flags=("--config.train.steps=9",)).finish([cell])
    edited = dataclasses.replace(runner, values={cell.name: "new"})
    with pytest.raises(CellError, match=r"values = '', now it is 'new'"):
        edited.done(cell)
    remade = dataclasses.replace(runner, fingerprints={M: "new", C: "not of this cell", "e1": "x"})
    with pytest.raises(CellError, match=r"data = \{\}, now it is \{'simulated_cxr_m': 'new'\}"):
        remade.done(cell)
    read = dataclasses.replace(remade, evaluated=("e1",))
    assert read.record(cell)["data"] == {"e1": "x", M: "new"}
    (runner.folder(cell) / CELL).unlink()
    with pytest.raises(CellError, match=r"has results but no cell.json"):
        runner.done(cell)


def test_the_digest_of_a_config_tells_sites_variants_and_edits_apart() -> None:
    cells = [c for c in needed_cells(rows()) if c.config == "clip" and c.seed == 0]
    made = [clip.get_config(c.variant_of(v)) for c in cells for v in ("tiny", "smoke")]
    made.append(clip.get_config(cells[0].variant_of("tiny")))
    made[-1].optimizer.learning_rate = 0.5
    digests = [digest(config.to_dict()) for config in made]
    assert len(cells) == 2 and len(set(digests)) == 5
    assert digest(clip.get_config(cells[0].variant_of("tiny")).to_dict()) == digests[0]


def test_the_digest_is_of_what_is_evaluated() -> None:
    suite = {"draws": 10, "tasks": {"a": {"shots": (1, 2)}}, "cells": {"seeds": (0,)}}
    assert digest_of(suite) == digest_of({**suite, "cells": {"seeds": (0, 1)}})
    assert digest_of(suite) != digest_of({**suite, "draws": 11})


def test_columns_of_which_less_is_better_are_refused() -> None:
    with pytest.raises(OptionError, match=r"columns.names is 'calibration_error', which falls"):
        options(columns={"names": "calibration_error"})
