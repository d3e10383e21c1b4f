# SPDX-License-Identifier: Apache-2.0
"""The console script `medst`: one subcommand for each file of `commands`, and those for pods."""

import ast
import difflib
import pathlib
import runpy
import sys

from medst_jax import __version__, command_line

COMMANDS = (
    "prepare",
    "init-config",
    "config",
    "train",
    "evaluate",
    "compare",
    "embed",
    "export",
    "convert",
    "plan",
    "benchmark",
    "reality-check",
)
POD = ("create", "install", "stage", "run", "log", "status", "watch", "stop", "delete", "jobset")
_FOLDER = pathlib.Path(__file__).parent / "commands"


def main() -> None:
    """Run the command of `sys.argv`; only its own file is imported."""
    words = sys.argv[1:]
    command_line.use_medst()
    if words[:1] == ["--version"]:
        print(__version__)
    elif words[:1] == ["pod"]:
        _run("medst pod", "medst_jax.commands.pod", POD, words[1:])
    else:
        _run("medst", "medst_jax.commands", (*COMMANDS, "pod"), words)


def _run(program: str, package: str, names: tuple[str, ...], words: list[str]) -> None:
    if not words or words[0] in ("-h", "-help", "--help", "help"):
        print(_overview(program, names))
        return
    name, *arguments = words
    if name not in names:
        near = difflib.get_close_matches(name, names, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(names)}"
        raise SystemExit(f"error: {program} has no command {name!r}; {hint}")
    sys.argv[1:] = arguments
    # As `python -m` does: the module is __main__, in processes that it starts as well.
    runpy.run_module(f"{package}.{name.replace('-', '_')}", run_name="__main__", alter_sys=True)


def _overview(program: str, names: tuple[str, ...]) -> str:
    folder = _FOLDER / "pod" if program.endswith("pod") else _FOLDER
    lines = [f"  {name:<14}{_first_line(folder, name)}" for name in names]
    return "\n".join(
        [f"usage: {program} COMMAND [FLAGS]; {program} COMMAND --help lists its flags", *lines]
    )


def _first_line(folder: pathlib.Path, name: str) -> str:
    """The first line of a command's docstring, which is read and not imported."""
    file = folder / f"{name.replace('-', '_')}.py"
    if not file.exists():
        file = folder / name / "__init__.py"
    return (ast.get_docstring(ast.parse(file.read_text())) or "").partition("\n")[0]
