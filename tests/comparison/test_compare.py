# SPDX-License-Identifier: Apache-2.0
"""Systems on the same test images: known differences, refusals, kept evaluations, hostile names."""

import dataclasses
import json
import pathlib
import re
import runpy
import subprocess
import sys

import numpy as np
import pytest

from medst_jax.commands.parts.sides import evaluation_of, parse_sides, workdir_of
from medst_jax.comparison.differences import differences
from medst_jax.comparison.evaluated import Evaluated
from medst_jax.comparison.page import content, page
from medst_jax.data.records.studies import open_studies
from medst_jax.data_pipelines.fixture import write_fixture
from medst_jax.evaluate.statistics.measure import measure
from medst_jax.evaluate.statistics.predictions import Predictions, write_predictions
from medst_jax.evaluate.statistics.rows import Row, write_rows
from medst_jax.evaluate.suite import parse_suite
from tests.parallel.together import ROOT

COUNT, DRAWS = 240, 200


def evaluated(name, signal, *, classes=("East", "North"), count=COUNT, seed=0, **changes):
    """A system whose scores are the labels times `signal` and noise."""
    rng = np.random.default_rng(1)
    targets = rng.integers(0, 2, (count, len(classes))).astype(np.int8)
    noise = np.random.default_rng(seed + 2).normal(size=targets.shape)
    scores = (signal * targets + noise)[None].astype(np.float32)
    made = Predictions("multi", np.arange(count) // 2, targets, scores, tuple(classes))
    made = dataclasses.replace(made, **changes)
    rows = [
        Row(name, "fake", "findings", "zero_shot", *m[:5], seed=0, exposure="clean")
        for m in measure(made, replicates=20)
    ]
    return Evaluated(name, f"runs/{name}", rows, {"findings": made})


def stored(folder, one):
    folder.mkdir(parents=True)
    write_predictions(folder / "predictions.npz", one.predictions)
    write_rows(folder / "metrics.json", one.rows)
    return folder


def test_a_real_difference_is_told_from_none():
    systems = [evaluated("good", 1.5), evaluated("bad", 0.2, seed=1), evaluated("twin", 1.5)]
    found = {(c.first, c.second): c for c in differences(systems, replicates=DRAWS)}
    assert set(found) == {("good", "bad"), ("good", "twin"), ("bad", "twin")}
    better, equal = found["good", "bad"], found["good", "twin"]
    areas = [system.row("findings", "auroc").value for system in systems]
    assert better.asked.metric == "auroc" and better.value == pytest.approx(areas[0] - areas[1])
    assert better.difference.low > 0 and better.p_holm < 0.01
    assert (equal.value, equal.difference.low, equal.difference.high) == (0, 0, 0)
    assert equal.p_holm == 1
    # Of three tests the smallest p is multiplied by three.
    smallest = min(found.values(), key=lambda c: c.difference.p)
    assert smallest.p_holm == pytest.approx(3 * smallest.difference.p)


def test_the_page_and_its_numbers(tmp_path):
    systems = [evaluated("good", 1.5), evaluated("bad", 0.2, seed=1)]
    unknown = [dataclasses.replace(row, exposure="unknown") for row in systems[1].rows]
    workdir = tmp_path / "run"
    workdir.mkdir()
    lines = [{"step": k, "loss": 1 / k, "probe/auroc": 0.5 + k / 100} for k in (1, 2, 3)]
    (workdir / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    systems = [
        dataclasses.replace(systems[0], workdir=workdir),
        dataclasses.replace(systems[1], rows=unknown),
    ]
    compared = differences(systems, replicates=DRAWS)
    text = page(systems, compared, {"good": "runs/good"})
    for said in ("1 of 1 differences", "better is good in 1", "bad may have seen test images"):
        assert said in text, said
    assert "training loss" in text and "probe/auroc" in text
    curves = text.partition("<h2>Training")[2]
    assert curves.count(">good<") == 2 and ">bad<" not in curves, "who has a curve is said"
    assert "p (Holm)" in text and ">0.0000<" not in text
    numbers = content(systems, compared, {})
    assert numbers["differences"][0]["difference"] == pytest.approx(compared[0].value)
    assert [v["exposure"] for v in numbers["values"]] == ["clean", "unknown"]
    json.dumps(numbers, allow_nan=False)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (evaluated("b", 1, count=COUNT - 2), "have 240 and 238 images"),
        (evaluated("b", 1, classes=("East", "South")), "their classes differ"),
        (evaluated("b", 1, patients=np.arange(COUNT) // 3), "of different patients"),
        (evaluated("b", 1, targets=np.ones((COUNT, 2), np.int8)), "different labels"),
    ],
)
def test_other_test_sets_are_refused(other, message):
    with pytest.raises(ValueError, match=f"a and b cannot be compared on 'findings'.*{message}"):
        differences([evaluated("a", 1), other])


def test_other_data_and_other_tasks_are_refused():
    first, second = evaluated("a", 1), evaluated("b", 1)
    rows = [dataclasses.replace(row, dataset="other") for row in second.rows]
    with pytest.raises(ValueError, match="their test data are fake and other"):
        differences([first, dataclasses.replace(second, rows=rows)])
    alone = dataclasses.replace(second, predictions={"x": second.predictions["findings"]})
    with pytest.raises(ValueError, match="a, b have no task in common"):
        differences([first, alone])


def test_words_of_the_command(tmp_path):
    run = tmp_path / "run"
    (run / "checkpoints" / "20").mkdir(parents=True)
    evaluation = stored(run / "evaluation", evaluated("x", 1))
    (tmp_path / "f.npz").touch()
    (tmp_path / "encoder").mkdir()
    words = [run, run / "checkpoints" / "20", f"e={evaluation}", tmp_path / "f.npz"]
    sides = parse_sides([*map(str, words), str(tmp_path / "encoder"), "hf-hub:owner/net"])
    assert [(side.name, side.kind, side.step) for side in sides] == [
        ("run", "checkpoint", None),
        ("run 20", "checkpoint", 20),
        ("e", "evaluation", None),
        ("f", "features", None),
        ("encoder", "weights", None),
        ("net", "weights", None),
    ]
    assert workdir_of(sides[2]) == run and workdir_of(sides[3]) is None
    with pytest.raises(ValueError, match="two systems are named 'run'"):
        parse_sides([str(run), str(evaluation)])
    with pytest.raises(ValueError, match="there is no .*nothing"):
        parse_sides([str(tmp_path / "nothing")])
    with pytest.raises(ValueError, match="write NAME=PATH"):
        parse_sides(["=x"])


def test_an_evaluation_is_kept_until_suite_or_source_change(tmp_path):
    features = tmp_path / "f.npz"
    features.write_bytes(b"1")
    (side,) = parse_sides([str(features)])
    made, whole = [], True

    def evaluate(side, folder):
        made.append(side.name)
        write_predictions(folder / "predictions.npz", evaluated("f", 1).predictions)
        write_rows(folder / "metrics.json", evaluated("f", 1).rows)
        return whole

    def ask(suite, data=tmp_path / "data"):
        (tmp_path / "out" / side.folder).mkdir(parents=True, exist_ok=True)
        return evaluation_of(side, tmp_path / "out", suite, str(data), evaluate)

    assert ask({"draws": 1}).rows and ask({"draws": 1}).rows and len(made) == 1
    ask({"draws": 2})
    assert len(made) == 2
    features.write_bytes(b"22")
    ask({"draws": 2})
    assert len(made) == 3
    whole = False  # a task failed: asked again
    ask({"draws": 3})
    ask({"draws": 3})
    assert len(made) == 5
    with pytest.raises(ValueError, match="has not been evaluated: give --suite"):
        ask(None)
    with pytest.raises(ValueError, match="give --data_dir"):
        evaluation_of(side, tmp_path, {}, None, evaluate)


SUITE = """
from ml_collections import ConfigDict

def get_config(arg=None):
    suite = ConfigDict()
    suite.draws = 100
    suite.tasks = {"probe": dict(protocol="linear_probe", shots=(8,), draws=1,
        task=dict(dataset="fixture", kind="multi"), train=dict(dataset="fixture", split="train"))}
    return suite
"""


def test_two_feature_files_through_the_command(tmp_path):
    data = tmp_path / "data"
    write_fixture(data, patients=100, size=32)
    ids, labels = [], []
    for split in ("train", "test"):
        studies = open_studies(data, "fixture", split)
        ids += [studies[k].frontal().image_id for k in range(len(studies))]
        labels.append(np.asarray(studies.index.labels, np.float32))
    noise = np.random.default_rng(0).normal(size=(len(ids), 3)).astype(np.float32)
    known = np.concatenate(labels)
    for name, features in {"told": known + 0.1 * noise, "noise": noise}.items():
        np.savez(tmp_path / f"{name}.npz", image_id=np.array(ids), features=features)
    (tmp_path / "suite.py").write_text(SUITE)
    command = [sys.executable, str(ROOT / "launch" / "compare.py"), "told.npz", "chance=noise.npz"]
    command += ["--suite=suite.py", "--data_dir=data", "--output=out"]
    done = subprocess.run(command, check=False, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    first, *_, second_last, last = done.stdout.splitlines()
    assert first.startswith("told - chance: auroc of probe/8 shots +0.") and "(Holm)" in first
    assert "comparison.html" in second_last and last.startswith("next")
    numbers = json.loads((tmp_path / "out" / "comparison.json").read_text())
    (found,) = numbers["differences"]
    assert found["difference"] > 0.3 and found["low"] > 0 and found["p_holm"] < 0.05
    kept = list(pathlib.Path(tmp_path / "out").glob("*/report.html"))
    assert len(kept) == 2


def test_the_suite_of_the_page_is_one(tmp_path):
    text = (ROOT / "docs" / "compare.md").read_text()
    (tmp_path / "suite.py").write_text(re.search("```python\n(.*?)```", text, re.DOTALL)[1])
    made = runpy.run_path(str(tmp_path / "suite.py"))
    _, tasks = parse_suite(made["get_config"]())
    assert {task.protocol for task in tasks.values()} == {"linear_probe", "fine_tune"}
