# SPDX-License-Identifier: Apache-2.0
"""Scalars and configuration that TensorBoard reads, of a training that imports no TensorFlow where there is one."""

import json
import os
import pathlib
import subprocess
import sys

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from medst_jax.train.scalars import read_log
from medst_jax.train.writers import grouped

CONFIG_TAG = "config/text_summary"
HERE = pathlib.Path(__file__).resolve().parent
PROGRAM = """
import sys
import medst_jax.commands.parts.training  # all that a training imports
from tests.train import toy
from medst_jax.train.run import run

for steps in (10, 20):
    config = toy.config(
        train__tensorboard=True, train__steps=steps, optimizer__horizon_steps=20
    )
    run(sys.argv[1], config, {"name": "toy", "options": {"width": 8}}, toy.source(8))
print([name for name in sys.modules if name.partition(".")[0] == "tensorflow"])
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A workdir trained in two parts, and what the training printed last."""
    folder = tmp_path_factory.mktemp("trained")
    found = folder / "installed" / "tensorflow" / "__init__.py"
    found.parent.mkdir(parents=True)
    # Whoever imports it fails, and not with an ImportError, which some take for its absence.
    found.write_text("raise RuntimeError('TensorFlow is imported')\n")
    path = os.pathsep.join([str(folder / "installed"), str(HERE.parents[1])])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder / "workdir")],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return folder / "workdir", done.stdout.splitlines()[-1]


def test_training_imports_no_tensorflow(trained):
    assert trained[1] == "[]"


def test_tensorboard_reads_every_scalar(trained):
    workdir, _ = trained
    read = EventAccumulator(str(workdir / "tensorboard")).Reload()
    logged = read_log(workdir)
    assert [line["step"] for line in logged] == [5, 10, 15, 20]
    names = set(logged[0]) - {"step"}
    assert {"loss", "absolute_error"} <= names
    for name in names:
        found = {event.step: event.value for event in read.Scalars(grouped(name))}
        assert found == {
            line["step"]: pytest.approx(line[name], rel=1e-6) for line in logged if name in line
        }
    assert "loss/loss" in read.Tags()["scalars"]
    stored = json.loads((workdir / "config.json").read_text())
    shown = [json.loads(event.tensor_proto.string_val[0]) for event in read.Tensors(CONFIG_TAG)]
    assert {**shown[-1], "train": 0} == {**stored, "train": 0}
    assert read.PluginTagToContent("text").keys() == {CONFIG_TAG}
