# SPDX-License-Identifier: Apache-2.0
"""Ten kills over all commands: each goes on to the result of a run that was left alone."""

import json
import os
import subprocess
import sys
import time

import pytest

from experiments import kill_drill
from experiments.kill_drill import STAGES, Stage, drill

# Half a second of processor time in a child, and a little in the command itself.
WORK = """
import pathlib, subprocess, sys, time
child = "import time\\nwhile time.process_time() < 0.5: pass"
subprocess.run([sys.executable, "-c", child], check=True)
out = pathlib.Path(sys.argv[1])
out.parent.mkdir(exist_ok=True)
out.write_text("whole")
"""


@pytest.mark.slow
def test_ten_kills_change_no_result(tmp_path):
    outcome = drill(tmp_path, 10, 1, tuple(STAGES))
    assert outcome["equal"] == outcome["kills"] == 10, outcome
    # How many kills come before a command's end is for the machine to say; of ten, some do.
    assert outcome["left_children"] == 0 and outcome["before_the_end"] > 0


@pytest.fixture
def work(monkeypatch):
    """A drill of one stage that works half a second, in a child; what it leaves may be changed."""
    stage = Stage(
        lambda _, folder: [str(folder / "out")], lambda folder: (folder / "out").read_text()
    )

    def start(_, command):
        return subprocess.Popen([sys.executable, "-c", WORK, *command], start_new_session=True)

    monkeypatch.setattr(kill_drill, "STAGES", {"work": stage})
    monkeypatch.setattr(kill_drill, "_start", start)
    return stage


def test_it_says_how_long_it_takes_stops_in_time_and_goes_on(work, tmp_path, capsys):
    none = drill(tmp_path, 3, 0, ("work",), minutes=0.0)
    assert none["kills"] == 0 and none["wanted"] == 3 and none["by_stage"] == {}
    said = capsys.readouterr().err
    assert "3 kills ahead, about 0 minutes: 3 of work at" in said and "the time is over" in said
    assert none["undisturbed"]["work"]["processor_seconds"] > 0.5
    two = drill(tmp_path, 2, 0, ("work",))
    assert two["kills"] == two["equal"] == 2 and two["left_children"] == 0
    assert "2 kills ahead" in capsys.readouterr().err
    first = (tmp_path / "kills" / "0.json").read_bytes()
    three = drill(tmp_path, 3, 0, ("work",))
    assert three["by_stage"]["work"]["kills"] == three["equal"] == 3
    assert "1 kills ahead" in capsys.readouterr().err
    assert (tmp_path / "kills" / "0.json").read_bytes() == first
    assert three["version"] and three["commit"] and three["seed"] == 0


def test_another_result_is_counted_and_the_drill_goes_on(work, tmp_path):
    drill(tmp_path, 1, 0, ("work",))
    (tmp_path / "whole" / "out").write_text("something else")
    outcome = drill(tmp_path, 2, 0, ("work",))
    assert outcome["kills"] == 2 and outcome["equal"] == 1
    assert outcome["differing"] == {1: "another result"}


def test_kills_of_two_programs_are_not_mixed(work, tmp_path):
    drill(tmp_path, 1, 0, ("work",), minutes=0.0)
    code = json.loads((tmp_path / "code.json").read_text())
    (tmp_path / "code.json").write_text(json.dumps(code | {"commit": "another"}))
    with pytest.raises(SystemExit, match="is of another, this is .*take another --workdir"):
        drill(tmp_path, 1, 0, ("work",))


def test_processor_time_of_a_session_has_that_of_its_children(tmp_path):
    command = [sys.executable, "-c", WORK + "time.sleep(60)", str(tmp_path / "out")]
    process = subprocess.Popen(command, start_new_session=True)
    try:
        end = time.monotonic() + 60
        while not (tmp_path / "out").exists() and time.monotonic() < end:
            time.sleep(0.05)
        assert 0.45 < kill_drill._processor_seconds(process.pid) < 10
        assert kill_drill._processor_seconds(os.getpid() + 1_000_000_000) == 0
    finally:
        process.kill()
        process.wait()
