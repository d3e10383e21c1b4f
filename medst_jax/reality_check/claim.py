# SPDX-License-Identifier: Apache-2.0
"""Who works on a cell: a lock among the processes of a host, and a file among hosts.

The kernel frees the lock of a process that died, so on one host its claim is taken over at once. Hosts
share nothing but the output folder: a claim of another host that has not been touched for `STALE`
seconds, by the clock of that folder, belongs to a process that died, and is taken over by renaming
it, which one process only can do. Only its owner touches or removes a claim.
"""

import contextlib
import json
import os
import pathlib
import socket
import threading
import uuid
from collections.abc import Iterator

from medst_jax.files.locks import BusyError, locked
from medst_jax.files.reading import read_json

STALE = 120.0
FRESHEN = 20.0


@contextlib.contextmanager
def claim(folder: pathlib.Path, lost: threading.Event | None = None) -> Iterator[bool]:
    """Holds the claim to a folder; yields False when another process has it.

    Args:
      folder: of the cell.
      lost: set when another host took the claim over, for this one seemed dead to it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "claim.json"
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(
                locked(folder.parent / f".{folder.name}.lock", f"work on {folder.name}")
            )
        except BusyError:
            yield False
            return
        owner = {"host": socket.gethostname(), "process": os.getpid(), "token": uuid.uuid4().hex}
        if not _take(path, owner):
            yield False
            return
        ended = threading.Event()
        thread = threading.Thread(
            target=_freshen, args=(path, owner, ended, lost or threading.Event()), daemon=True
        )
        thread.start()
        try:
            yield True
        finally:
            ended.set()
            thread.join()
            if _owner(path) == owner:
                path.unlink(missing_ok=True)


def _take(path: pathlib.Path, owner: dict[str, object]) -> bool:
    with contextlib.suppress(FileNotFoundError):
        # The lock of this host is ours: whoever claimed it from here is dead.
        if _owner(path).get("host") == owner["host"] or _age(path) > STALE:
            with contextlib.suppress(FileNotFoundError):
                stale = path.with_name(f"stale-{uuid.uuid4().hex}")
                path.rename(stale)
                stale.unlink()
    try:
        file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    except FileExistsError:
        return False
    with os.fdopen(file, "w") as stream:
        json.dump(owner, stream)
    return True


def _age(path: pathlib.Path) -> float:
    """Seconds since a file was touched, by the clock of its file system: clocks of hosts differ."""
    touched = path.stat().st_mtime
    now = path.with_name(f"now-{uuid.uuid4().hex}")
    now.touch()
    try:
        return now.stat().st_mtime - touched
    finally:
        now.unlink()


def _owner(path: pathlib.Path) -> dict[str, object]:
    """What a claim says; nothing where there is none, or it is being written."""
    try:
        owner: dict[str, object] = read_json(path, "")
    except OSError:
        return {}
    return owner


def _freshen(
    path: pathlib.Path, owner: dict[str, object], ended: threading.Event, lost: threading.Event
) -> None:
    while not ended.wait(FRESHEN):
        if _owner(path) != owner:
            lost.set()
            return
        with contextlib.suppress(FileNotFoundError):
            os.utime(path)
