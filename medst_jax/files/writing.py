# SPDX-License-Identifier: Apache-2.0
"""Files and folders written whole or not at all, on a disk or in an object store."""

import contextlib
import json
import os
import shutil
import uuid
from typing import Any

from etils import epath


def is_remote(path: epath.PathLike) -> bool:
    """Whether a path lies in an object store."""
    return "://" in os.fspath(path)


def write_atomic(path: epath.PathLike, content: str | bytes, *, durable: bool = False) -> None:
    """Write a file so that a reader, or a restart, sees all of it or none.

    Several processes may write the same file at once; the last one wins.

    Args:
      path: the file.
      content: what it is to hold.
      durable: also when the machine loses its power: what says that other files are complete.
    """
    path = epath.Path(path)
    # An object appears as a whole when it is closed; renaming it would copy it.
    unique = f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
    target = path if is_remote(path) else path.with_name(f".{path.name}.{unique}.tmp")
    try:
        target.write_bytes(content.encode() if isinstance(content, str) else content)
        if target != path:
            if durable:
                sync(target)
            target.replace(path)
            if durable:
                sync(path.parent)
    except OSError as error:
        if target != path:
            target.unlink(missing_ok=True)
        raise OSError(error.errno, f"cannot write {path}: {error.strerror or error}") from error


def write_json(path: epath.PathLike, value: Any, *, durable: bool = False) -> None:
    """Write `value` as indented JSON, atomically."""
    write_atomic(path, json.dumps(value, indent=2) + "\n", durable=durable)


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


def sync(path: epath.PathLike) -> None:
    """Have the disk hold a file, or the names in a folder; nothing in an object store."""
    if is_remote(path):
        return
    descriptor = os.open(os.fspath(path), os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        # A mounted bucket, and some network disks, take no fsync of a folder.
        if not os.path.isdir(path):
            raise
    finally:
        os.close(descriptor)


def fresh_folder(directory: epath.Path) -> epath.Path:
    """An empty folder beside `directory`, to be filled and given to `replace_folder`."""
    fresh = _incomplete(directory)
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    return fresh


def replace_folder(fresh: epath.Path, directory: epath.Path, old: epath.Path | None = None) -> None:
    """Put a filled folder in the place of `directory`.

    In this order: what is in `fresh` reaches the disk, the old folder is renamed, `fresh` takes its
    name, the names reach the disk, the old folder is removed. A kill between the two renames leaves
    both folders whole; `settle_folder` finishes them.

    Args:
      fresh: the filled folder.
      directory: whose place it takes.
      old: the name of the old folder meanwhile; `directory` with .old by default.
    """
    for folder, _, files in os.walk(fresh):
        for file in files:
            sync(os.path.join(folder, file))
        sync(folder)
    old = old or _old(directory)
    shutil.rmtree(old, ignore_errors=True)
    if directory.exists():
        directory.rename(old)
    fresh.rename(directory)
    sync(directory.parent)
    shutil.rmtree(old, ignore_errors=True)


def settle_folder(directory: epath.Path, complete: str) -> None:
    """Give a folder its name where a kill came before or between the renames of `replace_folder`.

    Args:
      directory: the folder.
      complete: a file that is written last into a whole folder.
    """
    if directory.exists():
        return
    for beside in (_old(directory), _incomplete(directory)):
        if beside == _old(directory) or (beside / complete).exists():
            with contextlib.suppress(FileNotFoundError):
                beside.rename(directory)
                sync(directory.parent)
                return


def interrupted(directory: epath.Path, complete: str) -> bool:
    """Whether a folder is missing only because a kill came between two renames.

    Args:
      directory: the folder.
      complete: a file that a whole folder holds.
    """
    beside = (_old(directory), _incomplete(directory))
    return not directory.exists() and any((one / complete).exists() for one in beside)


def _incomplete(directory: epath.Path) -> epath.Path:
    return directory.parent / f"{directory.name}.incomplete"


def _old(directory: epath.Path) -> epath.Path:
    return directory.parent / f"{directory.name}.old"
