# SPDX-License-Identifier: Apache-2.0
"""A configuration is a file of the user's or a shipped one by name."""

import subprocess
import sys

import pytest

from medst_jax.config_flag import CONFIGS, RUN_BY, SUITES, find
from medst_jax.train.execution import KEYS
from tests.parallel.together import ROOT

MINE = "from medst_jax.configs import dlilp\n\n\ndef get_config(arg=None):\n"
MINE += "    config = dlilp.get_config(arg)\n    config.seed = 7\n    return config\n"


def test_names_are_those_of_the_shipped_files(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find("dlilp") == f"{CONFIGS}/dlilp.py"
    assert find("dlilp:tiny,a+b") == f"{CONFIGS}/dlilp.py:tiny,a+b"
    assert find("smoke", SUITES) == f"{SUITES}/smoke.py"
    (tmp_path / "dlilp.py").write_text(MINE)
    assert find("dlilp.py:tiny") == "dlilp.py:tiny"
    assert find(f"{tmp_path}/dlilp.py") == f"{tmp_path}/dlilp.py"


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("dlipl:tiny", "no shipped configuration is named 'dlipl'; by name: dlilp"),
        ("configs/dlipl.py", "there is no file configs/dlipl.py; by name: dlilp"),
        ("zzz", r"named 'zzz'; known by name: biovil, .*, unimodal$"),
    ],
)
def test_unknown_names_list_those_that_are_near(argument, message, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message):
        find(argument)


PROGRAM = """
import sys
from absl import app
from medst_jax import config_flag
config = config_flag.define("config")
suite = config_flag.define("suite", config_flag.SUITES)
def main(_):
    print(config.value.seed, config.value.train.steps, sorted(suite.value.tasks)[0])
    print(config_flag.file_of(config), config_flag.file_of(suite, config_flag.SUITES))
    print("jax" in sys.modules, "flax" in sys.modules)
app.run(main)
"""


def test_flags_take_names_files_and_overrides_and_load_no_jax(tmp_path) -> None:
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "flags.txt").write_text("--config=mine.py:tiny\n")

    def run(*words: str) -> list[str]:
        command = [sys.executable, "-c", PROGRAM, *words, "--suite=smoke"]
        environment = {"PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    configs = CONFIGS.resolve()
    named = run("--config=dlilp:smoke", "--config.train.steps=9")
    assert named[:2] == ["0", "9"] and named[-2:] == ["False", "False"]
    assert named[3:5] == [f"{configs}/dlilp.py:smoke", f"{configs}/evaluate/smoke.py"]
    assert run("--config=mine.py:tiny")[0] == "7"
    assert run("--flagfile=flags.txt")[3] == f"{tmp_path}/mine.py:tiny"


RUN = """
import sys
from absl import app
from medst_jax import config_flag
from medst_jax.commands.parts.parse import parse_flags
config = config_flag.define("config")
def main(_):
    for part in ("image", "text"):
        values = config.value.system[part].to_dict()
        print(part, *(values.get(key, "-") for key in config_flag.RUN_BY))
app.run(main, flags_parser=parse_flags)
"""


def test_how_an_encoder_is_run_can_be_said_where_the_file_leaves_it_open(tmp_path) -> None:
    (tmp_path / "flags.txt").write_text("--config.system.text.slices=4\n")

    def run(*words: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-c", RUN, "--config=siglip_b16", *words]
        environment = {"PYTHONPATH": str(ROOT)}
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    done = run(
        "--config.system.image.remat=none",
        "--config.system.image.slices=2",
        "--config.system.image.attention=einsum",
        "--flagfile=flags.txt",
    )
    assert done.stdout.splitlines() == ["image none 2 einsum", "text - 4 -"], done.stderr
    refused = run("--config.system.image.rematt=none")
    assert refused.returncode and "the configuration has no key" in refused.stderr
    refused = run("--config.system.images.remat=none")
    assert refused.returncode and "error" in refused.stderr


def test_flags_open_what_the_hardware_decides() -> None:
    assert tuple(RUN_BY) == KEYS
