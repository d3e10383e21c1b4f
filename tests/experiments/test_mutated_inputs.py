# SPDX-License-Identifier: Apache-2.0
"""A few mutated inputs to every reader; `python -m experiments.mutated_inputs` feeds ten thousand."""

import pytest

from experiments.mutated_inputs.drive import Reader, drive
from experiments.mutated_inputs.readers import readers


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return {one.name: one for one in readers(tmp_path_factory.mktemp("readers"))}


def test_every_reader_accepts_what_is_sound_and_refuses_the_rest(made) -> None:
    assert len(made) > 35
    outcomes = [drive(one, range(8)) for one in made.values()]
    faults = {one.name: one.faults for one in outcomes if one.faults}
    assert not faults, "a fault is shown again by drive(reader, [seed])"
    assert sum(one.refused for one in outcomes) > 100


def test_faults_are_found() -> None:
    def read(data: bytes) -> None:
        if data != b"sound input":
            raise ZeroDivisionError("a fault")

    outcome = drive(Reader("broken", [b"sound input"], read), range(5))
    assert outcome.faults[0] == "seed 0: ZeroDivisionError: a fault" and outcome.inputs == 5
    refused = drive(Reader("strict", [b"sound input"], read, (ZeroDivisionError,)), range(5))
    assert not refused.faults and refused.refused == 5
    with pytest.raises(ZeroDivisionError):
        drive(Reader("bad sample", [b"other"], read), range(1))
