# SPDX-License-Identifier: Apache-2.0
"""Runs in two processes of four devices: their checkpoints, their end by SIGTERM."""

import json
import signal
import sys

import pytest

from medst_jax.train.checkpoint import complete_steps
from medst_jax.train.run import run
from medst_jax.train.scalars import read_log
from tests.parallel.together import ROOT, finish, start

pytestmark = pytest.mark.multiprocess
SYSTEM = {"name": "toy", "options": {"width": 8}}
HORIZON = 20
AVERAGED = {"train__ema": 0.9, "optimizer__horizon_steps": HORIZON, "train__log_every": 1}
SHARDED = {"mesh": {"fsdp": 4}, "rules": "fsdp"}


def together(workdir, compiled, **changes):
    arguments = [f"{key}={json.dumps(value)}" for key, value in (AVERAGED | changes).items()]
    return start(
        [sys.executable, ROOT / "tests" / "train" / "toy.py", workdir, *arguments],
        devices=4,
        processes=2,
        environment={
            "JAX_COMPILATION_CACHE_DIR": str(compiled),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        },
    )


def alone(toy, workdir, steps):
    config = toy.config(train__steps=steps, **AVERAGED)
    return run(workdir, config, SYSTEM, toy.source(8))


def checksum(workdir):
    return json.loads((workdir / "summary.json").read_text())["state_checksum"]


def test_checkpoints_move_between_one_process_and_two(toy, compiled, tmp_path):
    finish(together(tmp_path / "two", compiled, train__steps=10, **SHARDED))
    written = checksum(tmp_path / "two")
    # Nothing is left to train: the restored state is what the summary describes.
    alone(toy, tmp_path / "two", 10)
    assert checksum(tmp_path / "two") == written
    alone(toy, tmp_path / "two", HORIZON)
    assert [line["step"] for line in read_log(tmp_path / "two")] == list(range(1, HORIZON + 1))

    alone(toy, tmp_path / "one", 10)
    written = checksum(tmp_path / "one")
    finish(together(tmp_path / "one", compiled, train__steps=10, **SHARDED))
    assert checksum(tmp_path / "one") == written
    assert json.loads((tmp_path / "one" / "summary.json").read_text())["devices"] == 8


def test_sigterm_to_one_process_stops_both_at_the_same_step(toy, compiled, tmp_path):
    processes = together(
        tmp_path, compiled, train__steps=2000, pause=0.05, train__checkpoint_every=10_000
    )
    while len(read_log(tmp_path)) < 3 and all(p.poll() is None for p in processes):
        pass
    processes[1].send_signal(signal.SIGTERM)
    finish(processes, code=75)
    (step,) = complete_steps(tmp_path / "checkpoints")
    assert 3 <= step < 2000 and not (tmp_path / "summary.json").exists()
    assert [line["step"] for line in read_log(tmp_path)] == list(range(1, step + 1))
