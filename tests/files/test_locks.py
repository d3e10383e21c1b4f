# SPDX-License-Identifier: Apache-2.0
"""One process at a time holds a lock, whoever dies gives it back, and the message says who has it."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from medst_jax.files.locks import BusyError, locked
from tests.parallel.together import ROOT

HOLD = """
import sys, time
from medst_jax.files.locks import locked
with locked(sys.argv[1], "the work"):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
    """A process that holds the lock, and its file."""
    path = tmp_path / "folder" / "x.lock"
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process, path
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_second_holder_is_refused_with_the_first_ones_number(holder):
    process, path = holder
    words = rf"the work is going on already, by process {process.pid} on \S+ since \d{{4}}-"
    with pytest.raises(BusyError, match=words), locked(path, "the work"):
        pass


def test_the_lock_of_a_killed_process_is_free(holder):
    process, path = holder
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    with locked(path, "the work"):
        assert str(os.getpid()) in path.with_name("x.lock.owner").read_text()


def test_who_waits_says_for_whom_and_gets_it(holder):
    process, path = holder
    lines = []

    def say(line):
        lines.append(line)
        process.kill()

    with locked(path, "the work", wait=True, say=say):
        assert lines == [line for line in lines if f"by process {process.pid} on" in line]
    assert len(lines) == 1


def test_a_caller_of_the_caller_may_hold_it(tmp_path):
    def held_for_others():
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(_busy, tmp_path / "l").result()

    with locked(tmp_path / "l", "the work"):
        with locked(tmp_path / "l", "the work"):
            assert held_for_others()
        # The inner one has not given it back.
        assert held_for_others()
    assert not held_for_others()


def _busy(path):
    try:
        with locked(path, "the work"):
            return False
    except BusyError:
        return True


def test_an_object_store_has_no_locks_and_that_is_said(tmp_path):
    lines = []
    with locked("gs://bucket/l", "the work", say=lines.append):
        assert len(lines) == 1 and "not locked" in lines[0]
