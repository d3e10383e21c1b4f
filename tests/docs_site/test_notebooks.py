# SPDX-License-Identifier: Apache-2.0
"""The notebooks run from the first cell to the last, and are kept without what they printed."""

import json
import os
import pathlib
import re
import runpy
import subprocess
import sys

import pytest

from tests.parallel.together import ROOT

FOLDER = ROOT / "docs" / "notebooks"
NAMES = ("own_data", "zero_shot", "compare_encoders", "reality_check")
# In place of the numbers of the cells that are tagged "parameters".
SMALL = {"PATIENTS": 300, "STEPS": 2}
OWN = {"PATIENTS": 300, "STEPS": 30}


def cells(name):
    return json.loads((FOLDER / f"{name}.ipynb").read_text())["cells"]


def shell(line):
    """Run a line "medst ..." of a notebook, which has "!" before it."""
    program, command, *words = line.split()
    assert program == "medst"
    script = ROOT / "launch" / f"{command.replace('-', '_')}.py"
    done = subprocess.run(
        [sys.executable, str(script), *words],
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{line}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
    print(done.stdout)


def run(name, parameters):
    """Run the cells of code in their order, as one program, in the current folder."""
    program = []
    for cell in cells(name):
        if cell["cell_type"] == "code":
            for line in "".join(cell["source"]).splitlines():
                # {NAME} stands for its value.
                program.append(f"shell(f{line[1:]!r})" if line[:1] == "!" else line)
        if "parameters" in cell["metadata"].get("tags", ()):
            assert {line.partition(" =")[0] for line in program} == parameters.keys()
            program += [f"{key} = {value}" for key, value in parameters.items()]
    path = pathlib.Path(f"{name}.py")
    path.write_text("\n".join(program))
    runpy.run_path(str(path), init_globals={"shell": shell})


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder for all of them: what one has prepared or trained, the next one finds."""
    return tmp_path_factory.mktemp("notebooks")


def test_notebooks_are_those_that_run():
    assert {path.stem for path in FOLDER.glob("*.ipynb")} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_printed_is_kept(name):
    for cell in cells(name):
        assert not cell.get("outputs") and cell.get("execution_count") is None


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs(name, place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    run(name, OWN if name == "own_data" else SMALL)
    printed = capsys.readouterr().out
    if name == "own_data":
        assert "Effusion" in printed and re.search(r"(?m)^probe\S* .*n=\d+$", printed)
    if name == "zero_shot":
        assert len(re.findall(r"(?m)^findings .*n=\d+$", printed)) == 2
    if name == "compare_encoders":
        assert re.search(r"(?m)^trained - untrained: [+-]\d\.\d\d \[", printed)
    if name == "reality_check":
        assert {"clip", "unimodal", "random"} <= set(
            re.findall(r"(?m)^(\w+).*probe/4 shots", printed)
        )
