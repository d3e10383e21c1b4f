# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the reality check's tests."""

import pathlib

import pytest

from medst_jax.reality_check.runner import CellRunner
from tests.reality_check.stand_ins import C, M, cell_runner, write


@pytest.fixture
def runner(tmp_path: pathlib.Path) -> CellRunner:
    made = cell_runner(tmp_path)
    for seed in (0, 1):
        for mixture, shift in ((M, 1.0), (f"{M}+{C}", 1.5)):
            write(made, f"clip-{mixture}-{seed}", shift, seed, "names")
            write(made, f"dlilp-{mixture}-{seed}", shift, seed + 5, "names", "prototypes")
        write(made, f"dlilp-{M}-random-{seed}", 0.0, seed + 9, "names", "prototypes")
    write(made, "baseline-all_pixels", 3.0, 20, "prototypes")
    return made
