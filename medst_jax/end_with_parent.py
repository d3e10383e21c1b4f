# SPDX-License-Identifier: Apache-2.0
"""No process outlives the one that it works for, however that ended.

A signal to a group needs a parent that lives to send it, and the kernel's own notice (PR_SET_PDEATHSIG)
comes when the thread ends that started the child. So children watch: workers of `multiprocessing` the
pipe that it keeps to their parent, commands started by a command the process that their
environment names.
"""

import multiprocessing
import multiprocessing.connection
import os
import pathlib
import signal
import threading
import time
from collections.abc import Callable, Mapping

VARIABLE = "MEDST_PARENT"
_LOOK = 0.5  # seconds
_watching: set[int] = set()  # this process, once it watches


def child_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment for commands that are to end with this process."""
    return {**environment, VARIABLE: f"{os.getpid()} {_started(os.getpid())}"}


def watch_parent() -> None:
    """End this process when the one ends that its environment names, if it names one."""
    number, _, started = os.environ.get(VARIABLE, "").partition(" ")
    if not number.isdigit() or int(number) == os.getpid():
        return

    def wait() -> None:
        while _alive(int(number), started):
            time.sleep(_LOOK)

    _watch(wait)


def watch_multiprocessing_parent() -> None:
    """End this worker of `multiprocessing` when its parent ends; nothing in other processes."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        _watch(lambda: multiprocessing.connection.wait([parent.sentinel]))


def _watch(wait: Callable[[], object]) -> None:
    if os.getpid() in _watching:
        return
    _watching.add(os.getpid())

    def end() -> None:
        wait()
        # What is on disk can be gone on with at any moment, so there is nothing to wait for.
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=end, name="parent", daemon=True).start()


def _alive(process: int, started: str) -> bool:
    """Whether it runs; where the system tells when it started, not another one of its number."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return _started(process) == started


def _started(process: int) -> str:
    """When a process started, in ticks of the kernel; empty where that is not told, or it is dead."""
    try:
        fields = pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]
