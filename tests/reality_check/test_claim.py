# SPDX-License-Identifier: Apache-2.0
"""One process at a time works on a cell; the claim of a dead one is taken over."""

import json
import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import medst_jax.reality_check.claim as claim_module
from medst_jax.reality_check.claim import STALE, claim


def test_one_of_many_gets_it(tmp_path) -> None:
    def attempt(_: int) -> bool:
        with claim(tmp_path / "cell") as ours:
            time.sleep(0.2 if ours else 0.0)
            return ours

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(8))) == 1
    with claim(tmp_path / "cell") as ours:
        assert ours
    assert not list((tmp_path / "cell").iterdir())


def test_a_stale_claim_is_taken_over(tmp_path) -> None:
    path = tmp_path / "claim.json"
    path.write_text("{}")
    with claim(tmp_path) as ours:
        assert not ours
    long_ago = time.time() - STALE - 1
    os.utime(path, (long_ago, long_ago))
    with claim(tmp_path) as ours:
        assert ours and "host" in path.read_text()


def test_a_failure_gives_the_claim_back(tmp_path) -> None:
    try:
        with claim(tmp_path):
            raise RuntimeError
    except RuntimeError:
        pass
    with claim(tmp_path) as ours:
        assert ours


def test_a_dead_process_of_this_host_holds_no_claim(tmp_path) -> None:
    path = tmp_path / "claim.json"
    path.write_text(json.dumps({"host": socket.gethostname(), "process": 1, "token": "x"}))
    with claim(tmp_path) as ours:
        assert ours


def test_only_its_owner_removes_a_claim(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(claim_module, "FRESHEN", 0.01)
    path, lost = tmp_path / "claim.json", threading.Event()
    theirs = json.dumps({"host": "elsewhere", "process": 1, "token": "y"})
    with claim(tmp_path, lost) as ours:
        assert ours and not lost.is_set()
        path.write_text(theirs)
        assert lost.wait(20)
    assert path.read_text() == theirs


def test_the_age_of_a_claim_is_that_of_the_file_system(tmp_path, monkeypatch) -> None:
    path = tmp_path / "claim.json"
    path.write_text(json.dumps({"host": "elsewhere", "process": 1, "token": "y"}))
    monkeypatch.setattr(time, "time", lambda: 4e9)  # a clock of years ahead
    with claim(tmp_path) as ours:
        assert not ours
