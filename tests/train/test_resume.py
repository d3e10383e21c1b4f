# SPDX-License-Identifier: Apache-2.0
"""Interrupted and uninterrupted runs end in the same bits."""

import json
import random
import signal
import time

import pytest

from medst_jax.train.run import run
from medst_jax.train.scalars import read_log

SYSTEM = {"name": "toy", "options": {"width": 8}}
HORIZON = 40


def summary(workdir):
    return json.loads((workdir / "summary.json").read_text())


def train(toy, workdir, steps, **changes):
    config = toy.config(
        train__steps=steps, optimizer__horizon_steps=HORIZON, train__ema=0.9, **changes
    )
    return run(workdir, config, SYSTEM, toy.source(8))


@pytest.fixture(scope="module")
def whole(toy, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("whole")
    train(toy, workdir, HORIZON)
    return summary(workdir)


def test_two_halves_equal_the_whole_bit_for_bit(toy, whole, tmp_path):
    train(toy, tmp_path, HORIZON // 2)
    train(toy, tmp_path, HORIZON)
    halves = summary(tmp_path)
    assert halves["state_checksum"] == whole["state_checksum"]
    assert halves["parameter_checksum"] == whole["parameter_checksum"]
    assert halves["losses"] == whole["losses"]


def test_parts_of_the_optimizer_resume_bit_for_bit(toy, tmp_path):
    own = dict(learning_rate=0.1, schedule="linear", bias_correction=False, eps=1e-6)
    changes = {"optimizer__parts": {"head": dict(pattern="^second/", **own)}}
    train(toy, tmp_path / "whole", 10, **changes)
    train(toy, tmp_path / "halves", 5, **changes)
    train(toy, tmp_path / "halves", 10, **changes)
    assert summary(tmp_path / "halves") == summary(tmp_path / "whole") | {
        "examples_per_second": summary(tmp_path / "halves")["examples_per_second"]
    }


def test_finished_run_trains_no_further(toy, whole, tmp_path):
    train(toy, tmp_path, HORIZON)
    outcome = train(toy, tmp_path, HORIZON)
    assert outcome.examples_per_second is None
    again = summary(tmp_path)
    assert again["examples_per_second"] > 0  # as logged before
    assert again["state_checksum"] == whole["state_checksum"]
    assert again["losses"] == whole["losses"]


def test_no_steps_write_the_untrained_state(toy, tmp_path):
    train(toy, tmp_path, 0)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["0"]
    assert summary(tmp_path)["step"] == 0


def test_log_has_each_step_once_after_a_resume(toy, tmp_path):
    train(toy, tmp_path, 20)
    log = tmp_path / "log.jsonl"
    log.write_text(log.read_text() + '{"step": 25, "loss": 1.0}\n{"step": 30, "lo')
    train(toy, tmp_path, HORIZON)
    assert [line["step"] for line in read_log(tmp_path)] == list(range(5, HORIZON + 1, 5))


def test_sigterm_saves_and_exits_with_its_own_code(toy, whole, start_toy, tmp_path):
    arguments = [f"train__steps={HORIZON}", f"optimizer__horizon_steps={HORIZON}", "train__ema=0.9"]
    process = start_toy(tmp_path, *arguments, "pause=0.05", "train__checkpoint_every=1000")
    wait_for(lambda: len(read_log(tmp_path)) >= 1, process)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 75
    saved = [int(path.name) for path in (tmp_path / "checkpoints").iterdir()]
    assert len(saved) == 1 and 5 <= saved[0] < HORIZON
    train(toy, tmp_path, HORIZON)
    assert summary(tmp_path)["state_checksum"] == whole["state_checksum"]


def test_sigkill_at_random_times_changes_nothing(toy, whole, start_toy, tmp_path):
    arguments = [f"train__steps={HORIZON}", f"optimizer__horizon_steps={HORIZON}", "train__ema=0.9"]
    draw = random.Random(0)
    for _ in range(2):
        process = start_toy(
            tmp_path, *arguments, "train__checkpoint_every=1", "pause=0.02", "train__keep=1"
        )
        before = newest(tmp_path)
        wait_for(lambda before=before: newest(tmp_path) > before, process)
        time.sleep(draw.uniform(0, 0.4))
        process.kill()
        process.communicate(timeout=60)
    process = start_toy(tmp_path, *arguments)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert summary(tmp_path)["state_checksum"] == whole["state_checksum"]
    assert not [p for p in (tmp_path / "checkpoints").iterdir() if "tmp" in p.name]


def newest(workdir):
    folder = workdir / "checkpoints"
    names = [path.name for path in folder.iterdir()] if folder.exists() else []
    return max((int(name) for name in names if name.isdigit()), default=0)


def wait_for(condition, process, seconds=60):
    """Wait until `condition()` holds or the process has ended."""
    end = time.monotonic() + seconds
    while not condition() and process.poll() is None:
        assert time.monotonic() < end
        time.sleep(0.01)
