# SPDX-License-Identifier: Apache-2.0
"""Which runs claims take, in which order, and how they are judged."""

import pathlib
import types

import numpy as np
import pytest

from experiments import judging
from experiments.runs import FROZEN
from medst_jax.configs.evaluate.claims import Claim, Control, Recipe
from medst_jax.evaluate.statistics.predictions import Predictions, write_predictions

TASK, OTHER = "severity", "grounding/map"
CLAIMS = types.SimpleNamespace(
    __file__="suite.py",
    METRIC="auroc",
    METRICS={},
    MINIMAL_EFFECT=0.03,
    MINIMAL_EFFECTS={},
    CONTROLS={
        "pairs": Control(("--x=1",)),
        "image": Control(system="image"),
        "location": Control(tasks={OTHER: "grounding/location"}),
    },
    RECIPES={
        "reader": Recipe("reader", {"text": "bert"}),
        "tuned": Recipe("image", {"image": "reader"}),
        "other": Recipe("reader", {"text": "bert"}, ("--y=2",)),
    },
    CLAIMS={
        "reader": Claim({"pairs": (TASK,), "image": (), "location": (OTHER,)}, (TASK, OTHER)),
    },
)


def trial(folder: pathlib.Path) -> judging.Trial:
    return judging.Trial(CLAIMS, "data", folder)


def write(folder: pathlib.Path, shift: float, *tasks: str) -> None:
    rng = np.random.default_rng(0)
    targets = (np.arange(200) % 2).astype(np.int8)[:, None]
    scores = (rng.normal(size=(200, 1)) + shift * targets).astype(np.float32)[None]
    made = Predictions("multi", np.arange(200), targets, scores, ("Edema",))
    (folder / "evaluation").mkdir(parents=True)
    write_predictions(folder / "evaluation" / "predictions.npz", {task: made for task in tasks})


def test_a_run_comes_after_those_that_it_starts_from(tmp_path: pathlib.Path) -> None:
    runs = judging.describe(trial(tmp_path), "tuned", "none", 1)
    assert [run.folder.name for run in runs] == ["bert_none_1", "reader_none_1", "tuned_none_1"]
    assert runs[1].starts == {"text": runs[0].folder} and runs[2].starts == {
        "image": runs[1].folder
    }
    assert any("configs/image.py" in flag for flag in runs[2].train)
    (_, shuffled) = judging.describe(trial(tmp_path), "reader", "pairs", 1)
    assert "--x=1" in shuffled.train and shuffled.starts == runs[1].starts


def test_a_recipes_flags_are_those_of_its_controls_too(tmp_path: pathlib.Path) -> None:
    for control, more in (("none", ()), ("pairs", ("--x=1",)), ("random", FROZEN)):
        (*_, run) = judging.describe(trial(tmp_path), "other", control, 1)
        assert {"--y=2", *more} <= set(run.train), control
        assert any("configs/reader.py" in flag for flag in run.train)
        assert run.folder.name == f"other_{control}_1"


def test_controls_stand_for_runs() -> None:
    assert judging.trained(CLAIMS, "reader", "pairs") == ("reader", "pairs")
    assert judging.trained(CLAIMS, "reader", "image") == ("image", "none")
    assert judging.trained(CLAIMS, "reader", "location") == ("reader", "none")


def test_rows_hold_the_controls_of_their_task(tmp_path: pathlib.Path) -> None:
    write(tmp_path / "reader_none_0", 2.0, TASK, OTHER, "grounding/location")
    write(tmp_path / "reader_pairs_0", 0.0, TASK, OTHER)
    write(tmp_path / "image_none_0", 2.0, TASK)  # relates no sentence to regions
    rows = judging.judge(trial(tmp_path), "reader", [0])
    found = {(row["task"], row["control"]): row for row in rows}
    assert set(found) == {(TASK, "pairs"), (TASK, "image"), (OTHER, "pairs"), (OTHER, "location")}
    assert found[TASK, "pairs"]["required"] and found[TASK, "pairs"]["above_minimal_effect"]
    assert not found[TASK, "image"]["required"] and found[TASK, "image"]["effect"] == 0.0
    assert not found[OTHER, "location"]["above_zero"]


def test_a_required_control_without_the_task_is_an_error(tmp_path: pathlib.Path) -> None:
    write(tmp_path / "reader_none_0", 2.0, TASK, OTHER)
    write(tmp_path / "reader_pairs_0", 0.0, OTHER)
    with pytest.raises(SystemExit, match="control pairs lacks 'severity'"):
        judging.judge(trial(tmp_path), "reader", [0])
    (tmp_path / "reader_none_1").mkdir()
    write(tmp_path / "other", 0.0, OTHER)
    (tmp_path / "other" / "evaluation").rename(tmp_path / "reader_none_1" / "evaluation")
    with pytest.raises(SystemExit, match="a run of reader has no task 'severity'"):
        judging.judge(trial(tmp_path), "reader", [1])
