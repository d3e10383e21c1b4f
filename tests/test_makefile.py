# SPDX-License-Identifier: Apache-2.0
"""Where the Makefile's commands run: on the CPU unless the machine has an accelerator or the user says so."""

import os
import shutil
import subprocess

import pytest

from tests.parallel.together import ROOT


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize(
    ("accelerators", "wish", "platforms"),
    [
        ("", None, "cpu"),
        ("/dev/nvidia0", None, ""),
        ("/dev/accel0", None, ""),
        ("", "cuda", "cuda"),
    ],
)
def test_the_cpu_is_chosen_only_where_nothing_else_is(accelerators, wish, platforms):
    environment = {k: v for k, v in os.environ.items() if k != "JAX_PLATFORMS"}
    environment |= {"JAX_PLATFORMS": wish} if wish else {}
    said = subprocess.run(
        ["make", "--no-print-directory", "--eval=said: ; @echo [$$JAX_PLATFORMS]", "said"]
        + [f"ACCELERATORS={accelerators}"],
        cwd=ROOT,
        env=environment,
        text=True,
        capture_output=True,
        check=True,
    )
    assert said.stdout.strip() == f"[{platforms}]"
