# SPDX-License-Identifier: Apache-2.0
"""One process at a time works on a cell; the claim of a dead one is taken over."""

import os
import time
from concurrent.futures import ThreadPoolExecutor

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
