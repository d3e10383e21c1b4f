# SPDX-License-Identifier: Apache-2.0
"""How the user calls the commands, and how this code calls one of its own.

A clone has commands as scripts (`python launch/train.py`), an installed package as subcommands of
`medst`. Every room may import this file; it imports none.
"""

import pathlib
import re
import shlex
import sys

_PACKAGE = pathlib.Path(__file__).resolve().parent
_through_medst = False


def clone() -> pathlib.Path | None:
    """The root of the clone that this code is part of; None where it was installed as a wheel."""
    scripts = _PACKAGE.parent / "launch"
    return _PACKAGE.parent if (_PACKAGE / "commands").resolve() == scripts else None


def use_medst() -> None:
    """Note that the user called `medst`."""
    global _through_medst
    _through_medst = True


def user_command(name: str) -> str:
    """A command as the user can call it: in the way they called the present one.

    Args:
      name: of the command: "prepare", "reality_check", "pod delete".
    """
    script = pathlib.Path(sys.argv[0])
    folder = script.parent.parent if script.parent.name == "pod" else script.parent
    if _through_medst:
        return f"medst {name.replace('_', '-')}"
    if folder.name == "launch":
        return f"python {shlex.quote(str(folder))}/{name.replace(' ', '/')}.py"
    if folder.name == "commands":
        return f"python -m medst_jax.commands.{name.replace(' ', '.')}"
    if clone():
        return f"python launch/{name.replace(' ', '/')}.py"
    return f"medst {name.replace('_', '-')}"


def with_user_commands(text: str) -> str:
    """A text that shows commands as scripts of a clone, with commands as the user calls them.

    Shipped configurations are named by file in a clone and by name elsewhere.
    """

    def command(match: re.Match[str]) -> str:
        return user_command(match[1].replace("/", " "))

    text = re.sub(r"python launch/((?:pod/)?\w+)\.py", command, text)
    if _through_medst or not clone():
        text = re.sub(r"\blaunch/((?:pod/)?\w+)\.py", command, text)
        text = re.sub(r"=configs/(?:evaluate/)?(\w+)\.py", r"=\1", text)
    return text


def child_command(name: str) -> list[str]:
    """First words of a process that runs a command of this code, and of no other copy of it.

    The current folder may hold another clone: `python -m` alone would import that one.
    """
    root = clone()
    if root:
        return [sys.executable, str(root / "launch" / f"{name}.py")]
    return [sys.executable, "-P", "-m", f"medst_jax.commands.{name}"]
