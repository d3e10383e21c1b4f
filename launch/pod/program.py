# SPDX-License-Identifier: Apache-2.0
"""The program that a user names after `--`: a script of the repository, `medst`, or another."""

from collections.abc import Sequence

from medst_jax.command_line import clone
from medst_jax.commands.pod.slice import PodError


def words_of(program: Sequence[str], python: str, medst: str) -> list[str]:
    """The words that run it on a worker; training gets --distributed of itself.

    Args:
      program: as given: `launch/train.py ...`, `medst train ...` or the words of another program.
      python: the worker's interpreter, for scripts.
      medst: the worker's console script.
    """
    words = [medst if word == "medst" else word for word in program[:1]] + list(program[1:])
    if words[0].endswith(".py"):
        words.insert(0, python)
    trains = "launch/train.py" in words or list(program[:2]) == ["medst", "train"]
    if trains and "--distributed" not in words:
        words.append("--distributed")
    return words


def check_program(program: Sequence[str]) -> None:
    """Raise a PodError where no program is given, or one that the workers will not have."""
    example = "launch/train.py" if clone() else "medst train"
    if not program:
        raise PodError(f"no program to run; give it after --, for example -- {example} ...")
    if program[0].startswith("launch/") and not clone():
        raise PodError(
            f"{program[0]} is a script of a clone, and workers get the installed package; "
            f"give -- {example} ..."
        )
