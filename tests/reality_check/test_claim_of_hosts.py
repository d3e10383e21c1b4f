# SPDX-License-Identifier: Apache-2.0
"""Two hosts that share a folder and no lock, each a process of its own, on one cell."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.parallel.together import ROOT

# A host of that name, whose kernel's locks no other host sees. Ages of claims are seconds here.
HOST = """
import contextlib, pathlib, socket, sys, threading, time
import medst_jax.reality_check.claim as claims
claims.locked = lambda *_, **__: contextlib.nullcontext()
claims.FRESHEN, claims.STALE = 0.05, 1.0
folder, name = pathlib.Path(sys.argv[1]), sys.argv[2]
socket.gethostname = lambda: name
lost = threading.Event()
end = time.monotonic() + 30
while True:
    with claims.claim(folder, lost) as ours:
        if ours:
            print("held", flush=True)
            for line in sys.stdin:
                print("lost" if line == "lost?\\n" and lost.wait(20) else "kept", flush=True)
        elif "once" in sys.argv:
            print("busy", flush=True)
    if ours or "once" in sys.argv or time.monotonic() > end:
        break
    time.sleep(0.02)
"""


@contextmanager
def host(folder, name: str, *words: str) -> Iterator["subprocess.Popen[str]"]:
    """A process that takes the claim as that host, and holds it until its input ends."""
    with subprocess.Popen(
        [sys.executable, "-c", HOST, str(folder), name, *words],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def said(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_host_that_works_keeps_its_claim_and_gives_it_back(tmp_path) -> None:
    with host(tmp_path, "one") as one:
        assert said(one) == "held"
        with host(tmp_path, "two") as two:
            # Twice as long as a claim lives that nobody touches: the other tries all that time.
            with pytest.raises(subprocess.TimeoutExpired):
                two.wait(2.0)
            assert '"one"' in (tmp_path / "claim.json").read_text()
            one.stdin.close()
            assert one.wait(20) == 0
            assert said(two) == "held"
            assert '"two"' in (tmp_path / "claim.json").read_text()
            two.stdin.close()
            assert two.wait(20) == 0
    assert not list(tmp_path.iterdir())


def test_the_claim_of_a_killed_host_is_taken_over_when_it_is_stale(tmp_path) -> None:
    with host(tmp_path, "one") as one:
        assert said(one) == "held"
        one.kill()
        one.wait()
    with host(tmp_path, "two", "once") as two:
        assert said(two) == "busy"
    with host(tmp_path, "two") as two:
        assert said(two) == "held"
        assert '"two"' in (tmp_path / "claim.json").read_text()


def test_a_host_that_slept_too_long_learns_that_it_lost_and_removes_nothing(tmp_path) -> None:
    with host(tmp_path, "one") as one, host(tmp_path, "two") as two:
        first, second = (one, two) if _holder(one, two) == "one" else (two, one)
        os.kill(first.pid, signal.SIGSTOP)
        assert said(second) == "held"
        os.kill(first.pid, signal.SIGCONT)
        first.stdin.write("lost?\n")
        first.stdin.close()
        assert said(first) == "lost" and first.wait(20) == 0
        theirs = "two" if first is one else "one"
        assert f'"{theirs}"' in (tmp_path / "claim.json").read_text()


def _holder(one, two) -> str:
    """Which of two that race got the claim: its line is read."""
    ready, _, _ = select.select([one.stdout, two.stdout], [], [], 30)
    assert len(ready) == 1
    assert ready[0].readline().strip() == "held"
    return "one" if ready[0] is one.stdout else "two"
