# SPDX-License-Identifier: Apache-2.0
"""The plans of all configurations: which there are, and their table."""

import json

from medst_jax.benchmarks.planned import GIB, ROOT
from medst_jax.benchmarks.tpu_plans import KEPT, RESULTS, names, table


def test_every_configuration_is_named():
    assert {"siglip_b16", "mrm", "kad_knowledge", "edema_vae"} <= set(names())
    assert "__init__" not in names() and "parts" not in names()


def test_the_table_is_per_example_and_in_percent():
    estimate = dict(step_seconds_low=0.04, step_seconds_high=0.08, mfu_low=0.1, mfu_high=0.25)
    row = dict(
        per_chip_batch=8,
        hbm=dict(peak_bytes=3 * GIB),
        estimate=estimate,
        run=dict(chip_hours_low=1.5, chip_hours_high=3.0),
        compile_seconds=99.6,
    )
    last = table({"clip": row}).splitlines()[-1]
    cells = [cell.strip() for cell in last.strip("|").split("|")]
    assert cells == ["`clip`", "8", "3.00", "5 to 10", "10 to 25", "1.5 to 3", "100"]


def test_results_are_of_configurations_that_there_are():
    results = json.loads(RESULTS.read_text())
    assert set(results) <= set(names())
    assert all(set(KEPT) == set(row) for row in results.values())


def test_the_page_shows_the_results():
    page = (ROOT / "docs" / "tpu_speed.md").read_text()
    assert table(json.loads(RESULTS.read_text())) in page
