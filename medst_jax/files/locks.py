# SPDX-License-Identifier: Apache-2.0
"""Locks on folders: one training in a workdir, one preparation of a data set, one trainer of a cell.

The kernel frees a lock when its process ends, however that is, so a lock that can be had was left by
nobody. Who holds it is written beside it, for the message alone. The files stay: to remove one that
another process may be opening would give it away twice.
"""

import contextlib
import json
import os
import pathlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

from etils import epath
from filelock import FileLock, Timeout

from medst_jax.files.reading import read_json
from medst_jax.files.writing import is_remote

_LOOK = 0.2  # seconds between two tries of a lock that is waited for
_owned: set[tuple[int, int, pathlib.Path]] = set()  # process, thread, file


class BusyError(RuntimeError):
    """Another process works on what this one was to work on; the message says which."""


@contextlib.contextmanager
def locked(
    path: epath.PathLike,
    what: str,
    *,
    wait: bool = False,
    say: Callable[[str], object] = print,
) -> Iterator[None]:
    """Hold a lock while the block runs.

    Args:
      path: the file of the lock; its folder is made.
      what: that only one process may do at a time, as the message names it.
      wait: for the process that holds it, instead of an error.
      say: takes a line, of waiting, or that there is no lock in an object store.

    Raises:
      BusyError: another process holds it; names it, its host and since when.
    """
    if is_remote(path):
        say(f"{what} in an object store is not locked: see to it that only one process does it")
        yield
        return
    lock = pathlib.Path(os.path.abspath(os.fspath(path)))
    key = (os.getpid(), threading.get_ident(), lock)
    if key in _owned:  # by a caller of the caller
        yield
        return
    lock.parent.mkdir(parents=True, exist_ok=True)
    kernel_lock = FileLock(lock)
    try:
        kernel_lock.acquire(timeout=0)
    except NotImplementedError:
        say(f"{lock.parent} takes no locks: see to it that only one process does {what}")
        yield
        return
    except Timeout:
        if not wait:
            raise BusyError(
                f"{what} is going on already, {_owner(lock)}: wait for its end, or stop it"
            ) from None
        say(f"waiting for {what}, {_owner(lock)}")
        kernel_lock.acquire(poll_interval=_LOOK)
    _owned.add(key)
    try:
        _write_owner(lock)
        yield
    finally:
        _owned.discard(key)
        kernel_lock.release()


def _write_owner(lock: pathlib.Path) -> None:
    owner = {"process": os.getpid(), "host": socket.gethostname(), "since": time.time()}
    # Into the locked file itself there may be no writing, on some systems.
    with contextlib.suppress(OSError):
        _owner_file(lock).write_text(json.dumps(owner))


def _owner(lock: pathlib.Path) -> str:
    try:
        owner = read_json(
            _owner_file(lock), "", fields={"process": int, "host": str, "since": (float, int)}
        )
    except OSError:
        return "by another process"
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(owner["since"]))
    return f"by process {owner['process']} on {owner['host']} since {since}"


def _owner_file(lock: pathlib.Path) -> pathlib.Path:
    return lock.with_name(f"{lock.name}.owner")
