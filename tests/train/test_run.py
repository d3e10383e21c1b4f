# SPDX-License-Identifier: Apache-2.0
"""A run in its workdir: records, refusals, best checkpoints, non-finite stops."""

import json
import time

import jax
import numpy as np
import pytest

from medst_jax.options import OptionError
from medst_jax.parallel import MeshError
from medst_jax.train.checkpoint import CheckpointError, complete_steps, load_system
from medst_jax.train.loop import NonFiniteError
from medst_jax.train.run import run
from medst_jax.train.scalars import read_log
from medst_jax.train.sections import check_sections
from medst_jax.train.workdir import WorkdirError

SYSTEM = {"name": "toy", "options": {"width": 8}}


def train(toy, workdir, *, bad=-1, stamp="a", system=SYSTEM, evaluators=None, **changes):
    config = toy.config(**{"train__steps": 10, **changes})
    source = toy.source(config["train"]["batch_size"], bad=bad, stamp=stamp)
    return run(workdir, config, system, source, evaluators)


def test_loaded_system_holds_the_trained_arrays(toy, tmp_path):
    outcome = train(toy, tmp_path)
    loaded = load_system(tmp_path)
    assert (loaded.step, loaded.name, loaded.tokenizer) == (10, "toy", None)
    assert loaded.stamp == {"data": "a"} and loaded.config["train"]["steps"] == 10
    kernel = outcome.state.params["first/kernel"]
    np.testing.assert_array_equal(loaded.system.first.kernel[...], kernel)
    np.testing.assert_array_equal(
        loaded.system.norm.mean[...], outcome.state.model_state["norm/mean"]
    )
    assert load_system(tmp_path, step=5).step == 5


def test_relative_workdirs(toy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train(toy, "runs/here")
    assert load_system("runs/here").step == 10
    assert (tmp_path / "runs" / "here" / "summary.json").exists()


def test_loading_the_average(toy, tmp_path):
    outcome = train(toy, tmp_path, train__ema=0.9)
    loaded = load_system(tmp_path, ema=True)
    np.testing.assert_array_equal(
        loaded.system.second.kernel[...], outcome.state.ema["second/kernel"]
    )


def test_loading_what_is_not_there(toy, tmp_path):
    with pytest.raises(WorkdirError, match=r"system.json is missing"):
        load_system(tmp_path)
    train(toy, tmp_path)
    with pytest.raises(CheckpointError, match=r"checkpoint 7; it has \[5, 10\]"):
        load_system(tmp_path, step=7)
    with pytest.raises(CheckpointError, match="no moving average"):
        load_system(tmp_path, ema=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optimizer__learning_rate": 0.5}, "optimizer.learning_rate = 0.01, now it is 0.5"),
        ({"train__steps": 30}, "train.steps = 10, now it is 30.*horizon_steps"),
        ({"seed": 3}, "seed = 0, now it is 3"),
        ({"stamp": "b"}, "input data = 'a', now it is 'b'; restore the data"),
        ({"system": {"name": "toy", "options": {"width": 4}}}, "system options.width = 8"),
    ],
)
def test_another_run_in_the_same_workdir_is_refused(toy, tmp_path, changes, message):
    train(toy, tmp_path)
    before = (tmp_path / "config.json").read_text()
    with pytest.raises(WorkdirError, match=message):
        train(toy, tmp_path, **changes)
    assert (tmp_path / "config.json").read_text() == before


def test_what_does_not_change_the_result_may_change(toy, tmp_path):
    before = train(toy, tmp_path)
    after = train(toy, tmp_path, train__log_every=1, train__keep=5, mesh={"data": 1})
    assert int(after.state.step) == 10
    for path, values in before.state.params.items():
        np.testing.assert_array_equal(values, after.state.params[path])


def test_workdir_without_checkpoint_is_taken_over(toy, tmp_path):
    with pytest.raises(NonFiniteError):
        train(toy, tmp_path, bad=0)
    train(toy, tmp_path, seed=5)
    assert json.loads((tmp_path / "config.json").read_text())["seed"] == 5


def test_non_finite_step_stops_and_names_positions(toy, tmp_path):
    with pytest.raises(NonFiniteError, match=r"step 8: loss and gradient_norm.*56 to 63"):
        train(toy, tmp_path, bad=7)
    dump = json.loads((tmp_path / "nonfinite-8.json").read_text())
    assert dump["positions"] == {"first": 56, "last": 63}
    assert complete_steps(tmp_path / "checkpoints") == (5,)
    # With the cause gone, the run goes on from the last finite checkpoint.
    train(toy, tmp_path)
    assert complete_steps(tmp_path / "checkpoints") == (5, 10)


def test_checkpoint_step_itself_not_finite_is_not_written(toy, tmp_path):
    with pytest.raises(NonFiniteError, match="step 5"):
        train(toy, tmp_path, bad=4)
    assert complete_steps(tmp_path / "checkpoints") == ()


def test_best_checkpoints_are_kept_beside_the_newest(toy, tmp_path):
    scores = {2: 0.1, 4: 0.9, 6: float("nan"), 8: 0.5, 10: 0.2}
    seen = []

    def evaluate(system):
        seen.append(float(system.log_scale[...]))
        return {"auc": scores[2 * len(seen)]}

    train(
        toy,
        tmp_path,
        train__keep=1,
        train__keep_best=1,
        train__best_metric="probe/auc",
        train__checkpoint_every=100,
        evaluators={"probe": (2, evaluate)},
    )
    assert complete_steps(tmp_path / "checkpoints") == (4, 10)
    logged = [line["probe/auc"] for line in read_log(tmp_path) if "probe/auc" in line]
    assert logged == [0.1, 0.9, 0.5, 0.2]


def test_bad_options_are_named(toy, tmp_path):
    with pytest.raises(OptionError, match=r"config.train.keep is 0; it must be at least 1"):
        train(toy, tmp_path, train__keep=0)
    with pytest.raises(MeshError, match=f"there are {jax.device_count()}"):
        train(toy, tmp_path, mesh={"data": 64})
    with pytest.raises(OptionError, match=r"config.train.stepz.*did you mean config.train.steps"):
        train(toy, tmp_path, train__stepz=3)
    with pytest.raises(OptionError, match="best_metric is 'x/y'"):
        train(toy, tmp_path, train__best_metric="x/y")
    with pytest.raises(OptionError, match="config.optimiser is not an option"):
        check_sections({**toy.config(), "optimiser": {}})


def test_profile_of_a_range_of_steps(toy, tmp_path):
    train(toy, tmp_path, train__profile=[2, 3])
    assert list((tmp_path / "profile").rglob("*.xplane.pb"))


def test_watchdog_dumps_the_stacks_and_the_run_goes_on(toy, tmp_path, capfd):
    def slow(system):
        time.sleep(0.5)
        return {}

    train(toy, tmp_path, train__watchdog_seconds=0.2, evaluators={"slow": (10, slow)})
    errors = capfd.readouterr().err
    assert "no step for 0.2 seconds" in errors and "in slow" in errors
    assert complete_steps(tmp_path / "checkpoints") == (5, 10)
