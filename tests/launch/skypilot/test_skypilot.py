# SPDX-License-Identifier: Apache-2.0
"""The task for SkyPilot: keys of its schema alone, scripts that are bash, the words that each node runs."""

import os
import pathlib
import re
import subprocess
from typing import Any

import pytest
import yaml

from tests.parallel.together import ROOT

FILE = ROOT / "launch" / "skypilot" / "train.yaml"
# What the file may say, of the reference "SkyPilot YAML" (docs.skypilot.co): keys and their types.
SCHEMA: dict[str, Any] = {
    "name": str,
    "workdir": str,
    "num_nodes": int,
    "resources": {
        "accelerators": str,
        "disk_size": int,
        "use_spot": bool,
        "job_recovery": {
            "strategy": str,
            "max_restarts_on_errors": int,
            "recover_on_exit_codes": list,
        },
    },
    "envs": dict,
    "file_mounts": dict,
    "setup": str,
    "run": str,
}


@pytest.fixture(scope="module")
def task() -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load(FILE.read_text())
    return values


def conforms(values: dict[str, Any], schema: dict[str, Any]) -> None:
    assert set(values) <= set(schema), set(values) - set(schema)
    for key, value in values.items():
        if isinstance(schema[key], dict):
            conforms(value, schema[key])
        else:
            assert type(value) is schema[key], key


def test_keys_are_those_of_the_schema(task) -> None:
    conforms(task, SCHEMA)
    assert re.fullmatch(r"[A-Z0-9\-]+:\d+", task["resources"]["accelerators"])
    assert task["resources"]["job_recovery"]["recover_on_exit_codes"] == [75]
    for value in task["envs"].values():
        assert value is None or isinstance(value, str)
    for mount in task["file_mounts"].values():
        assert set(mount) <= {"name", "source", "store", "mode", "persistent"}
        assert mount["mode"] in ("COPY", "MOUNT", "MOUNT_CACHED")
    # A variable without a value must be given; all others have one.
    used = set(re.findall(r"\$\{?([A-Z_]+)", str(task["file_mounts"]) + task["run"]))
    given = {name for name in used if not name.startswith("SKYPILOT_")} - {"HOME"}
    assert given == set(task["envs"])


@pytest.mark.parametrize("part", ["setup", "run"])
def test_scripts_are_bash(part, task) -> None:
    subprocess.run(["bash", "-n"], input=task[part], text=True, check=True)


def test_what_the_setup_names_exists(task) -> None:
    (constraints,) = re.findall(r"--constraint=(\S+)", task["setup"])
    assert (ROOT / constraints).exists()
    (extras,) = re.findall(r"--editable='\.\[(.*)\]'", task["setup"])
    known = (ROOT / "setup.cfg").read_text()
    assert all(re.search(rf"(?m)^{extra} =", known) for extra in extras.split(","))
    assert (ROOT / task["envs"]["CONFIG"]).exists()


def words(task: dict[str, Any], folder: pathlib.Path, nodes: int, rank: int) -> list[str]:
    """The words that a node's program is called with."""
    python = folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True, exist_ok=True)
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\nexit 75\n')
    python.chmod(0o755)
    environment = {
        **task["envs"],
        "PATH": os.environ["PATH"],
        "HOME": "/home/sky",
        "BUCKET": "gs://b",
        "FLAGS": "--config.train.steps=9 --config.seed=1",
        "SKYPILOT_NUM_NODES": str(nodes),
        "SKYPILOT_NODE_RANK": str(rank),
        "SKYPILOT_NODE_IPS": "\n".join(f"10.0.0.{k}" for k in range(1, nodes + 1)),
    }
    done = subprocess.run(
        ["bash", "-c", task["run"]],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 75 and not done.stderr  # the program's own code reaches the manager
    return done.stdout.splitlines()


def test_the_words_of_every_node(task, tmp_path) -> None:
    one = [
        "launch/train.py",
        "--config=configs/siglip_b16.py",
        "--workdir=gs://b/runs/siglip_b16",
        "--config.data.data_dir=/home/sky/data",
    ]
    more = ["--config.train.steps=9", "--config.seed=1"]
    assert words(task, tmp_path, 1, 0) == [*one, *more]
    for rank in range(3):
        together = ["--distributed", "--coordinator=10.0.0.1:8476", "--num_processes=3"]
        assert words(task, tmp_path, 3, rank) == [*one, *together, f"--process_id={rank}", *more]
    flags = (ROOT / "launch" / "train.py").read_text()
    for word in ["--workdir", *together, "--process_id"]:
        assert f'"{word[2:].partition("=")[0]}"' in flags
