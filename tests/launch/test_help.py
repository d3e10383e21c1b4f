# SPDX-License-Identifier: Apache-2.0
"""Help is printed and flags are parsed before JAX is imported; commands know the tables they list."""

import json
import subprocess
import sys

import pytest

from medst_jax.evaluate.subjects.baselines import BASELINES
from medst_jax.export.checkpoint import FORMATS
from medst_jax.models.weights.layout_registry import LAYOUTS
from tests.parallel.together import ROOT

SCRIPTS = sorted(path.relative_to(ROOT) for path in ROOT.glob("launch/*.py") if path.stem[0] != "_")
# Runs a script as `python SCRIPT --help`, then names the heavy modules that it imported.
RUNNER = """
import runpy, sys
sys.argv = [*sys.argv[1:], "--help"]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
except SystemExit as end:
    print("code", end.code)
print("imported", *[name for name in ("jax", "jaxlib", "flax") if name in sys.modules])
"""


def _help(*words: str) -> list[str]:
    """Lines of a command's help, which imports no JAX."""
    done = subprocess.run(
        [sys.executable, "-c", RUNNER, *words], cwd=ROOT, capture_output=True, text=True, check=True
    )
    *text, code, imported = done.stdout.splitlines()
    assert imported == "imported" and code in ("code 0", "code 1")
    assert "flags:" in text
    return text


@pytest.mark.parametrize("script", SCRIPTS, ids=str)
def test_help_imports_no_jax(script) -> None:
    assert any(f"launch/{script.name}" in line for line in _help(str(script)))


@pytest.mark.parametrize(
    ("what", "own"),
    [
        ("input", ("data_dir", "dataset", "vocabulary", "turns", "torch_python")),
        ("step", ("config", "steps", "torch_python")),
        ("losses", ()),
    ],
)
def test_help_of_what_is_measured_lists_its_flags_and_imports_no_jax(what, own) -> None:
    lines = _help("launch/benchmark.py", f"--what={what}")
    for flag in own:
        assert any(line.startswith(f"  --{flag}:") for line in lines), flag


def _choices(command: str, *names: str) -> list[list[str]]:
    """Constants of a command, which defines flags and so is imported by a process of its own."""
    code = f"import json; from medst_jax.commands import {command} as c; "
    code += f"print(json.dumps([{', '.join(f'c.{name}' for name in names)}]))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_choices_of_flags_are_those_of_the_code() -> None:
    assert _choices("evaluate", "BASELINES", "LAYOUTS") == [list(BASELINES), list(LAYOUTS)]
    assert _choices("export", "FORMATS") == [list(FORMATS)]
