# SPDX-License-Identifier: Apache-2.0
"""Malformed inputs end in a counted reason: no crash, no hang, nothing of their content told."""

import re
import signal
import zlib
from collections import Counter

import numpy as np
import pytest

from tests.data_pipelines.fuzzer import ACCEPTED, KINDS, SECRET

SECONDS = 10  # for one input, however loaded the machine is
_REASON = re.compile(r"\w[\w ,.:=/'#+()\-]{3,120}")


def run(kind: str, count: int, folder) -> Counter:
    def hang(*_):
        raise TimeoutError(f"an input of kind {kind} took more than {SECONDS} s")

    outcomes: Counter = Counter()
    before = signal.signal(signal.SIGALRM, hang)
    try:
        for seed in range(count):
            rng = np.random.default_rng((zlib.crc32(kind.encode()), seed))
            signal.alarm(SECONDS)
            try:
                outcome = KINDS[kind](rng, folder)
            except Exception as error:
                raise AssertionError(f"input {seed} of kind {kind}") from error
            assert _REASON.fullmatch(outcome), outcome
            assert SECRET not in outcome
            outcomes[outcome] += 1
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    return outcomes


@pytest.mark.parametrize("kind", KINDS)
def test_a_few_malformed_inputs(kind, tmp_path, recwarn):
    outcomes = run(kind, 80, tmp_path)
    assert sum(outcomes.values()) == 80
    assert outcomes[ACCEPTED] < 80


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_ten_thousand_malformed_inputs(kind, tmp_path, recwarn):
    outcomes = run(kind, 2000, tmp_path)
    print(f"\n{kind}: " + "; ".join(f"{n} {reason}" for reason, n in outcomes.most_common()))
    assert sum(outcomes.values()) == 2000
    assert len(outcomes) > 2
