# SPDX-License-Identifier: Apache-2.0
"""Files of a run in its WORKDIR, on a disk or in an object store: written atomically, or added to."""

import json
import os
import uuid
from typing import Any

from etils import epath

from medst_jax.command_line import user_command

CONFIG_FILE, SYSTEM_FILE, INPUT_FILE = "config.json", "system.json", "input.json"
TOKENIZER_FILE, SUMMARY_FILE, LOG_FILE = "tokenizer.model", "summary.json", "log.jsonl"


class WorkdirError(ValueError):
    """A workdir that belongs to another configuration or to other data."""


def workdir_path(workdir: epath.PathLike) -> epath.Path:
    """A run's folder, absolute: orbax takes no relative path. Remote paths (gs://) stay."""
    name = os.fspath(workdir)
    return epath.Path(name if is_remote(name) else os.path.abspath(os.path.expanduser(name)))


def is_remote(path: epath.PathLike) -> bool:
    """Whether a path lies in an object store."""
    return "://" in os.fspath(path)


def write_atomic(path: epath.Path, content: str | bytes) -> None:
    """Write a file so that a reader, or a restart, sees all of it or none.

    Several processes may write the same file at once; the last one wins.
    """
    # An object appears as a whole when it is closed; renaming it would copy it.
    unique = f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
    target = path if is_remote(path) else path.with_name(f".{path.name}.{unique}.tmp")
    try:
        if isinstance(content, bytes):
            target.write_bytes(content)
        else:
            target.write_text(content)
        if target != path:
            target.replace(path)
    except OSError as error:
        if target != path:
            target.unlink(missing_ok=True)
        raise OSError(error.errno, f"cannot write {path}: {error.strerror or error}") from error


def append_to_file(path: epath.Path, content: bytes) -> None:
    """Add to the end of a file; objects of a store cannot grow and are written again whole."""
    if is_remote(path):
        write_atomic(path, (path.read_bytes() if path.exists() else b"") + content)
        return
    try:
        with path.open("ab") as stream:
            stream.write(content)
    except OSError as error:
        raise OSError(error.errno, f"cannot write {path}: {error.strerror or error}") from error


def write_json(path: epath.Path, value: Any) -> None:
    """Write `value` as indented JSON, atomically."""
    write_atomic(path, json.dumps(value, indent=2) + "\n")


def read_json(path: epath.Path) -> Any:
    """Read one JSON file.

    Raises:
      WorkdirError: it is missing or is not JSON.
    """
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise WorkdirError(
            f"{path} is missing; is {path.parent} a workdir of {user_command('train')}?"
        ) from None
    except json.JSONDecodeError as error:
        raise WorkdirError(f"{path} is not JSON ({error}); restore it or use a new workdir") from (
            error
        )
