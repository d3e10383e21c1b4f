# SPDX-License-Identifier: Apache-2.0
"""How the user called a command, and how the code of this package calls one.

A clone has its commands as scripts (`python launch/train.py`), an installed package as
subcommands of `medst`. May be imported by every room; imports none.
"""

import pathlib
import re
import sys

_PACKAGE = pathlib.Path(__file__).resolve().parent
_console = False


def clone() -> pathlib.Path | None:
    """The root of the clone that this code is part of; None where it was installed as a wheel."""
    scripts = _PACKAGE.parent / "launch"
    return _PACKAGE.parent if (_PACKAGE / "commands").resolve() == scripts else None


def use_console_script() -> None:
    """Note that the user called `medst`."""
    global _console
    _console = True


def spoken(name: str) -> str:
    """A command in the words by which the user can call it, as they called the present one.

    Args:
      name: of the command: "prepare", "pod delete".
    """
    script = pathlib.Path(sys.argv[0])
    folder = script.parent.parent if script.parent.name == "pod" else script.parent
    if _console:
        return f"medst {name.replace('_', '-')}"
    if folder.name == "launch":
        return f"python {folder / name.replace(' ', '/')}.py"
    if folder.name == "commands":
        return f"python -m medst_jax.commands.{name.replace(' ', '.')}"
    if clone():
        return f"python launch/{name.replace(' ', '/')}.py"
    return f"medst {name.replace('_', '-')}"


def as_spoken(text: str) -> str:
    """A text that shows commands as scripts of a clone, in the words of `spoken`.

    Shipped configurations are called by file in a clone and by name elsewhere.
    """

    def command(match: re.Match[str]) -> str:
        return spoken(match[1].replace("/", " "))

    text = re.sub(r"python launch/((?:pod/)?\w+)\.py", command, text)
    if _console or not clone():
        text = re.sub(r"=configs/(?:evaluate/)?(\w+)\.py", r"=\1", text)
    return text


def started(name: str) -> list[str]:
    """The first words of a process that runs a command of this code, and of no other copy of it.

    The current folder may hold another clone: `python -m` alone would import that one.
    """
    root = clone()
    if root:
        return [sys.executable, str(root / "launch" / f"{name}.py")]
    return [sys.executable, "-P", "-m", f"medst_jax.commands.{name}"]
