# SPDX-License-Identifier: Apache-2.0
"""Commands are named as the user can call them, and start as processes of this very code."""

import sys

import pytest

from medst_jax import command_line
from medst_jax.command_line import child_command, clone, user_command, with_user_commands
from tests.parallel.together import ROOT


@pytest.mark.parametrize(
    ("called", "prepare", "delete"),
    [
        ("launch/train.py", "python launch/prepare.py", "python launch/pod/delete.py"),
        ("../a b/launch/pod/watch.py", "python '../a b/launch'/prepare.py", None),
        (
            "/x/medst_jax/commands/train.py",
            "python -m medst_jax.commands.prepare",
            "python -m medst_jax.commands.pod.delete",
        ),
        ("notebook", "python launch/prepare.py", "python launch/pod/delete.py"),
    ],
)
def test_a_command_is_named_as_the_present_one_was_called(
    monkeypatch, called, prepare, delete
) -> None:
    monkeypatch.setattr(sys, "argv", [called])
    assert user_command("prepare") == prepare
    assert delete is None or user_command("pod delete") == delete


def test_an_installed_package_names_subcommands(monkeypatch) -> None:
    text = "python launch/train.py --config=configs/dlilp.py:smoke, then launch/pod/log.py"
    monkeypatch.setattr(sys, "argv", ["notebook"])
    assert with_user_commands(text) == text
    monkeypatch.setattr(command_line, "clone", lambda: None)
    assert user_command("reality_check") == "medst reality-check"
    assert with_user_commands(text) == "medst train --config=dlilp:smoke, then medst pod log"
    suite = "python launch/evaluate.py --suite=configs/evaluate/smoke.py"
    assert with_user_commands(suite) == "medst evaluate --suite=smoke"
    assert child_command("train")[1:] == ["-P", "-m", "medst_jax.commands.train"]


def test_a_clone_starts_its_own_scripts() -> None:
    assert clone() == ROOT
    assert child_command("train") == [sys.executable, str(ROOT / "launch" / "train.py")]
