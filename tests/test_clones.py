# SPDX-License-Identifier: Apache-2.0
"""A second clone beside an installed first one imports nothing of the first."""

import shutil
import subprocess
import sys

import pytest

from tests.parallel.together import ROOT

FOLDERS = ("medst_jax", "launch", "configs", "data_pipelines", "benchmarks")
# Imports under both names, runs a command, and prints where each module lies.
PROGRAM = """
import os, runpy, sys
import medst_jax.systems.registry, medst_jax.data_pipelines.registry, medst_jax.configs.dlilp
import configs.clip, data_pipelines.raw
assert sys.modules["configs.clip"] is medst_jax.configs.clip
assert sys.modules["data_pipelines.raw"] is medst_jax.data_pipelines.raw
from medst_jax.command_line import child_command
from medst_jax.config_flag import find
print(os.path.realpath(child_command("train")[1]), os.path.realpath(find("dlilp")), sep="\\n")
"""
FILES = """
for name, module in list(sys.modules.items()):
    if name.split(".")[0] in ("medst_jax", "configs", "data_pipelines"):
        print(os.path.realpath(module.__file__))
"""


@pytest.fixture(scope="module")
def second(tmp_path_factory):
    folder = tmp_path_factory.mktemp("second")
    for name in FOLDERS:
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=ignore)
    return folder


def _files(program: str, *words: str, cwd) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", program, *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_code_run_in_a_clone_is_its_own(second) -> None:
    files = _files(PROGRAM + FILES, cwd=second)
    assert len(files) > 20 and all(file.startswith(f"{second}/") for file in files)


def test_a_script_of_a_clone_imports_its_own_wherever_it_is_called(second) -> None:
    # Called in the first clone, as scripts are: their own folder comes first, not the current one.
    program = (
        "import os, runpy, sys\nsys.path[0] = os.path.dirname(sys.argv[1])\n"
        "sys.argv[1:] = ['--config=dlilp', '--workdir=']\nscript = sys.orig_argv[3]\n"
        "try:\n    runpy.run_path(script, run_name='__main__')\nexcept SystemExit:\n    pass\n"
    )
    files = _files(program + FILES, f"{second}/launch/train.py", cwd=ROOT)
    listed = [file for file in files if file.startswith("/")]
    assert f"{second}/configs/parts/common.py" in listed
    assert all(file.startswith(f"{second}/") for file in listed)
