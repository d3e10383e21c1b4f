# SPDX-License-Identifier: Apache-2.0
"""Files of a run in its WORKDIR, on a disk or in an object store."""

import os
from typing import Any

from etils import epath

from medst_jax.command_line import user_command
from medst_jax.files import reading
from medst_jax.files.reading import DamagedDataError
from medst_jax.files.writing import append_to_file, is_remote, write_atomic, write_json

# Files of a workdir are written by the writers of all files, known here by the same names.
__all__ = [
    "CONFIG_FILE",
    "INPUT_FILE",
    "LOCK_FILE",
    "LOG_FILE",
    "SUMMARY_FILE",
    "SYSTEM_FILE",
    "TOKENIZER_FILE",
    "WorkdirError",
    "append_to_file",
    "is_remote",
    "read_json",
    "workdir_path",
    "write_atomic",
    "write_json",
]

CONFIG_FILE, SYSTEM_FILE, INPUT_FILE = "config.json", "system.json", "input.json"
LOCK_FILE = ".train.lock"
TOKENIZER_FILE, SUMMARY_FILE, LOG_FILE = "tokenizer.model", "summary.json", "log.jsonl"
EXECUTION_FILE = "execution.json"  # of the latest start; not compared


class WorkdirError(ValueError):
    """A workdir that belongs to another configuration or to other data."""


def workdir_path(workdir: epath.PathLike) -> epath.Path:
    """A run's folder, absolute: orbax takes no relative path. Remote paths (gs://) stay."""
    name = os.fspath(workdir)
    return epath.Path(name if is_remote(name) else os.path.abspath(os.path.expanduser(name)))


def read_json(path: epath.Path) -> Any:
    """Read one JSON file of a run, which holds an object.

    Raises:
      WorkdirError: it is missing or damaged.
    """
    try:
        return reading.read_json(path, "restore it or use a new workdir")
    except FileNotFoundError:
        raise WorkdirError(
            f"{path} is missing; is {path.parent} a workdir of {user_command('train')}?"
        ) from None
    except DamagedDataError as error:
        raise WorkdirError(str(error)) from error
