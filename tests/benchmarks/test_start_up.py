# SPDX-License-Identifier: Apache-2.0
"""What is measured of a process, and what is said of one that fails."""

import json
import subprocess
import sys

import pytest

from medst_jax.benchmarks.start_up import measured

ASK = """
from medst_jax.benchmarks.start_up import measured
import json
large = measured(["-c", "x = bytearray(b'1' * 300_000_000); print(1); print(2)"])
print(json.dumps([large, measured(["-c", "print(1)"])]))
"""


def test_each_process_has_its_own_figures():
    # Asked by a small process: on Linux the peak of a child is at least what its parent held at the start.
    done = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=True)
    large, small = json.loads(done.stdout)
    assert large["peak_mb"] > 300 > small["peak_mb"]
    assert (large["console_lines"], small["console_lines"]) == (2, 1)


def test_a_failure_is_shown():
    with pytest.raises(RuntimeError, match="no such thing"):
        measured(["-c", "raise SystemExit('no such thing')"])
