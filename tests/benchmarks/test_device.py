# SPDX-License-Identifier: Apache-2.0
"""The script for a machine with one GPU: what it runs, in which order, and what is left when a part fails."""

import json
import os
import pathlib
import re
import stat
import subprocess
import sys

import pytest

from medst_jax.benchmarks.device import PARTS, attention
from tests.parallel.together import ROOT

SCRIPT = ROOT / "benchmarks" / "device.sh"
# In place of the interpreter: writes a part's JSON; one part fails.
STAND_IN = """#!/usr/bin/env bash
for word in "$@"; do
  case $word in --part=*) part=${word#--part=} ;; --output=*) output=${word#--output=} ;; esac
done
test -n "$part" || exit 0
echo "$part $PYTHONPATH" >> "$CALLS"
if [ "$part" = siglip ]; then echo "out of memory" >&2; exit 3; fi
echo "{\\"part\\": \\"$part\\"}" | tee "$output/$part.json"
"""


def _limits() -> list[tuple[str, int]]:
    return [
        (p, int(n)) for p, n in re.findall(r"^run (\w+) (\d+)$", SCRIPT.read_text(), re.MULTILINE)
    ]


def test_all_parts_in_less_than_eight_minutes_and_what_compiles_slowly_last():
    limits = _limits()
    assert [part for part, _ in limits] == list(PARTS)
    assert sum(seconds for _, seconds in limits) < 480
    assert limits[0][0] == "parity" and limits[-1][0] == "dlilp"


def test_a_part_that_fails_loses_only_itself(tmp_path: pathlib.Path):
    python = tmp_path / "python"
    python.write_text(STAND_IN)
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    out, calls = tmp_path / "out", tmp_path / "calls"
    environment = os.environ | {"PYTHON": str(python), "CALLS": str(calls), "WHEELS": "/nowhere"}
    done = subprocess.run(
        [SCRIPT, "--tiny", out], env=environment, text=True, capture_output=True, check=False
    )
    assert done.returncode == 1, done.stderr
    assert [line.split()[0] for line in calls.read_text().splitlines()] == list(PARTS)
    results = {part: json.loads((out / f"{part}.json").read_text()) for part in PARTS}
    assert results["siglip"] == {"part": "siglip", "exit_code": 3}
    assert all(results[part] == {"part": part} for part in PARTS if part != "siglip")
    assert "out of memory" in done.stdout


def test_wheels_of_what_is_there_are_left_alone(tmp_path: pathlib.Path):
    """The snippet that chooses among wheels, run as the script runs it."""
    snippet = re.search(r"<<'END'\n(.*?)\nEND\n", SCRIPT.read_text(), re.DOTALL)
    for name in ("numpy-9.9-py3-none-any.whl", "no_such_thing-1.0-py3-none-any.whl"):
        (tmp_path / name).touch()
    chosen = subprocess.run(
        [sys.executable, "-c", snippet[1], tmp_path], text=True, capture_output=True, check=True
    )
    assert chosen.stdout.splitlines() == [str(tmp_path / "no_such_thing-1.0-py3-none-any.whl")]


def test_attention_says_why_cudnn_is_left_out():
    (row,) = attention(tiny=True)["rows"]
    assert row["einsum"]["seconds"] > 0 and "NVIDIA" in row["cudnn_left_out"]


@pytest.mark.slow
def test_every_part_runs_on_tiny_shapes(tmp_path: pathlib.Path):
    environment = os.environ | {"PYTHON": sys.executable, "WHEELS": "/nowhere"}
    done = subprocess.run(
        [SCRIPT, "--tiny", tmp_path], env=environment, text=True, capture_output=True, check=False
    )
    results = {part: json.loads((tmp_path / f"{part}.json").read_text()) for part in PARTS}
    assert done.returncode == 0, done.stdout
    assert all(row["tiny"] and row["versions"]["jax"] for row in results.values())
    # On a CPU both sides of the comparison are the same program.
    assert results["parity"]["equal"]
    assert results["siglip"]["step_seconds"] > 0 < results["dlilp"]["planned_peak_bytes"]
    assert results["input"]["per_core"]["pipeline"] > 0
