# SPDX-License-Identifier: Apache-2.0
"""Runs a script of this folder by another interpreter, which has what this one lacks."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any


def answer(python: str, script: Path, *arguments: str, sent: str = "") -> dict[str, Any]:
    """The JSON object in the last line that `script` prints.

    Args:
      python: the interpreter.
      script: its file.
      arguments: of the script.
      sent: its standard input.

    Raises:
      ValueError: it fails; holds its last words.
    """
    done = subprocess.run(
        [python, str(script), *arguments],
        input=sent,
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ValueError(f"{python} {script} failed:\n{done.stderr[-1500:]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result
