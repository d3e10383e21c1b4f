# SPDX-License-Identifier: Apache-2.0
"""Who works on a cell: a file that one process can create, and touches while it works.

Processes, on one host or several, share nothing but the output folder. A claim that has not been
touched for `STALE` seconds belongs to a process that died, and is taken over by renaming it,
which one process only can do.
"""

import contextlib
import json
import os
import pathlib
import socket
import threading
import time
import uuid
from collections.abc import Iterator

STALE = 120.0
FRESHEN = 20.0


@contextlib.contextmanager
def claim(folder: pathlib.Path) -> Iterator[bool]:
    """Holds the claim to a folder; yields False when another process has it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "claim.json"
    if not _take(path):
        yield False
        return
    ended = threading.Event()
    thread = threading.Thread(target=_freshen, args=(path, ended), daemon=True)
    thread.start()
    try:
        yield True
    finally:
        ended.set()
        thread.join()
        path.unlink(missing_ok=True)


def _take(path: pathlib.Path) -> bool:
    with contextlib.suppress(FileNotFoundError):
        if time.time() - path.stat().st_mtime > STALE:
            with contextlib.suppress(FileNotFoundError):
                stale = path.with_name(f"stale-{uuid.uuid4().hex}")
                path.rename(stale)
                stale.unlink()
    try:
        file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    except FileExistsError:
        return False
    with os.fdopen(file, "w") as stream:
        json.dump({"host": socket.gethostname(), "process": os.getpid()}, stream)
    return True


def _freshen(path: pathlib.Path, ended: threading.Event) -> None:
    while not ended.wait(FRESHEN):
        with contextlib.suppress(FileNotFoundError):
            path.touch(exist_ok=True)
