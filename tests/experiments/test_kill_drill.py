# SPDX-License-Identifier: Apache-2.0
"""Ten kills over all commands: each goes on to the result of a run that was left alone."""

import pytest

from experiments.kill_drill import STAGES, drill


@pytest.mark.slow
def test_ten_kills_change_no_result(tmp_path):
    outcome = drill(tmp_path, 10, 1, tuple(STAGES))
    assert outcome["equal"] == outcome["kills"] == 10, outcome
    # How many kills come before a command's end is for the machine to say; of ten, some do.
    assert outcome["left_children"] == 0 and outcome["before_the_end"] > 0
