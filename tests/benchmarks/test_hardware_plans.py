# SPDX-License-Identifier: Apache-2.0
"""The comparison of plans: what is left to compile, and its table."""

import json

from medst_jax.benchmarks.hardware_plans import (
    CONFIGS,
    RESULTS,
    SLICE,
    SLICE_PLANS,
    TOPOLOGIES,
    largest_try,
    table,
    wanted,
    with_slice,
)
from medst_jax.benchmarks.planned import ROOT

GIB = 2**30


def _row(config="dlilp", topology="h100:8", batch=16, peak=2.0, own=True, fits=True):
    return {
        "config": config,
        "topology": topology,
        "own_batch": own,
        "per_chip_batch": batch,
        "fits": fits,
        "hbm": {"capacity_bytes": 60 * GIB, "peak_bytes": int(peak * GIB)},
        "execution": {"text": {"remat": "full"}},
        "estimate": {"step_seconds_low": 0.01, "step_seconds_high": 0.0125} if fits else None,
        "run": {"chip_hours_low": 1.0, "chip_hours_high": 1.25} if fits else None,
    }


def test_every_configuration_is_planned_at_its_batch_and_near_the_limit():
    cells = [(config, topology, None) for topology in TOPOLOGIES for config in CONFIGS]
    assert list(wanted([])) == cells
    left = list(wanted([_row()]))
    assert ("dlilp", "h100:8", None) not in left and left[-1] == ("dlilp", "h100:8", 408)
    assert len(left) == len(cells)
    both = [_row(), _row(batch=408, peak=40.0, own=False)]
    assert len(list(wanted(both))) == len(cells) - 1
    assert {topology for _, topology, _ in wanted([], "v5e")} == {"v5e:4x4"}
    # What does not fit at its own batch says nothing of a larger one.
    assert len(list(wanted([_row(fits=False)]))) == len(cells) - 1


def test_the_second_batch_fills_most_of_the_memory():
    assert largest_try(_row(batch=16, peak=51.0)) == 16
    assert largest_try(_row(batch=16, peak=5.1)) == 160
    assert largest_try(_row(batch=16, peak=59.0)) == 8  # one multiple at least


def test_the_table_shows_the_largest_batch_that_fits():
    rows = [
        _row(),
        _row(batch=400, peak=40.0, own=False),
        _row(batch=500, peak=70.0, own=False, fits=False),
    ]
    last = table(rows).splitlines()[-1]
    shown = [cell.strip() for cell in last.strip("|").split("|")]
    assert shown == [
        *("`dlilp`", "h100:8", "16", "text", "2.00", "60.0"),
        *("10.0 to 12.5", "1.0 to 1.2", "400", "40.00"),
    ]
    assert len(table([]).splitlines()) == 2


def test_the_stored_results_make_a_table():
    results = json.loads(RESULTS.read_text())
    assert results and all(row["hbm"]["peak_bytes"] > 0 for row in results)
    assert len(table(results).splitlines()) > 2


def test_plans_of_the_slice_are_shared():
    plan = {key: value for key, value in _row().items() if key not in ("config", "topology")}
    (row,) = with_slice([], {"dlilp": plan, "clip": plan})
    assert (row["config"], row["topology"], row["own_batch"]) == ("dlilp", SLICE, True)
    assert ("dlilp", SLICE, None) not in list(wanted([row]))


def test_the_page_shows_the_results():
    page = (ROOT / "docs" / "gpu.md").read_text()
    results = with_slice(json.loads(RESULTS.read_text()), json.loads(SLICE_PLANS.read_text()))
    assert table(results) in page
