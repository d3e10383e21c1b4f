# SPDX-License-Identifier: Apache-2.0
"""How far the training or the evaluation of a cell is, read from its folder while it runs."""

import contextlib
import json
import pathlib

from medst_jax.train.workdir import CONFIG_FILE, LOG_FILE, SUMMARY_FILE

_TAIL = 4096  # bytes of a log, which hold its last line


def progress(folder: pathlib.Path) -> str:
    """Such as "step 400 of 1000"; files that are missing or half written say "starting"."""
    if (folder / SUMMARY_FILE).exists():
        return "evaluating"
    with contextlib.suppress(OSError, ValueError, KeyError, IndexError, TypeError):
        steps = json.loads((folder / CONFIG_FILE).read_text())["train"]["steps"]
        with (folder / LOG_FILE).open("rb") as log:
            log.seek(max(0, log.seek(0, 2) - _TAIL))
            *lines, _ = log.read().split(b"\n")  # the last one is empty, or still being written
        return f"step {json.loads(lines[-1])['step']} of {steps}"
    return "starting"
