# SPDX-License-Identifier: Apache-2.0
"""The console script: what it lists, what it says to unknown names, how it calls commands."""

import subprocess
import sys

import pytest

from medst_jax import __version__
from medst_jax.cli import COMMANDS, POD
from tests.parallel.together import ROOT

# As the installed script does; the last line names what was imported.
SCRIPT = """
import sys
from medst_jax.cli import main
try:
    main()
finally:
    print("imported", *[name for name in ("jax", "flax", "absl") if name in sys.modules])
"""


def medst(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", SCRIPT, *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_commands_are_the_files_of_the_room() -> None:
    scripts = {path.stem.replace("_", "-") for path in ROOT.glob("launch/*.py")} - {"--init--"}
    assert set(COMMANDS) == scripts
    pod = {path.stem for path in ROOT.glob("launch/pod/*.py") if "__main__" in path.read_text()}
    assert set(POD) == pod


@pytest.mark.parametrize(("words", "names"), [((), COMMANDS), (("pod",), POD)])
def test_help_lists_commands_with_a_line_each_and_imports_nothing(words, names) -> None:
    done = medst(*words, "--help")
    first, *lines, imported = done.stdout.splitlines()
    assert imported == "imported" and " ".join(("usage: medst", *words)) in first
    described = dict(line.split(maxsplit=1) for line in lines)
    assert set(names) <= set(described) <= {*names, "pod"} and not done.stderr
    assert medst(*words).stdout == done.stdout


def test_version() -> None:
    assert medst("--version").stdout.splitlines()[0] == __version__


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("trian",), "error: medst has no command 'trian'; did you mean train?"),
        (("qqq",), f"error: medst has no command 'qqq'; known: {', '.join((*COMMANDS, 'pod'))}"),
        (("pod", "wacht"), "error: medst pod has no command 'wacht'; did you mean watch?"),
    ],
)
def test_unknown_commands_are_told_with_those_that_are_near(words, message) -> None:
    done = medst(*words)
    assert done.returncode == 1 and done.stderr == f"{message}\n"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("train",), "    medst train --config=dlilp:smoke --workdir=/tmp/dlilp"),
        (("reality-check",), "medst reality-check --suite=reality_check --data_dir=data"),
        (("pod", "log"), "medst pod log --name=medst --zone=us-west4-a"),
    ],
)
def test_help_of_a_command_shows_it_as_it_was_called(words, line) -> None:
    done = medst(*words, "--help")
    assert line in done.stdout and "launch/" not in done.stdout.partition("\nflags:")[0]
    assert "flags:" in done.stdout and done.stdout.endswith("imported absl\n")


def test_flags_follow_the_command() -> None:
    done = medst("train", "--config=dlipl:smoke", "--workdir=/nowhere")
    assert done.returncode == 1 and "no shipped configuration is named 'dlipl'" in done.stderr
    assert "by name: dlilp" in done.stderr and "Traceback" not in done.stderr
