# SPDX-License-Identifier: Apache-2.0
"""Children end when their parent is killed: commands, their workers, and workers of multiprocessing."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.parallel.together import ROOT

COMMAND = """
import os, subprocess, sys, time
from medst_jax.end_with_parent import child_environment
code = "import time; from medst_jax.end_with_parent import watch_parent as w; w(); print(1, flush=True); time.sleep(600)"
child = subprocess.Popen([sys.executable, "-c", code], env=child_environment(os.environ), stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(600)
"""
WORKER = """
import multiprocessing, os, time
def work(queue):
    from medst_jax.end_with_parent import watch_multiprocessing_parent
    watch_multiprocessing_parent()
    queue.put(os.getpid())
    time.sleep(600)
if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    context.Process(target=work, args=(queue,)).start()
    print(queue.get(), flush=True)
    time.sleep(600)
"""
WITHIN = 20.0


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0] not in "ZX"


@pytest.mark.parametrize("program", [COMMAND, WORKER], ids=["command", "worker"])
def test_a_killed_parent_takes_its_child_along(tmp_path, program):
    script = tmp_path / "program.py"
    script.write_text(program)
    parent = subprocess.Popen(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    child = int(parent.stdout.readline())
    assert alive(child)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    end = time.monotonic() + WITHIN
    while alive(child) and time.monotonic() < end:
        time.sleep(0.1)
    assert not alive(child)
