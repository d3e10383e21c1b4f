# SPDX-License-Identifier: Apache-2.0
"""Which claims the gates measure, and what stands for their controls."""

import numpy as np
import pytest

from experiments import power
from medst_jax.configs.evaluate import gates, place_claims, temporal_claims
from medst_jax.evaluate.statistics.predictions import Predictions
from medst_jax.evaluate.suite import parse_suite


def test_every_required_control_has_a_counterpart_or_is_what_the_claim_asks():
    without = set()
    for suite, _, task, control in power.required():
        elsewhere = suite.CONTROLS[control].tasks if control in suite.CONTROLS else {}
        if control not in power.COUNTERPARTS and task not in elsewhere:
            without.add(control)
    assert without == {"no_cycle", "windows", "strange_prior"}


def test_every_claim_about_time_and_place_is_measured():
    measured = {task for _, _, task, _ in power.required()}
    for suite in (temporal_claims, place_claims):
        for claim in suite.CLAIMS.values():
            assert {task for tasks in claim.required.values() for task in tasks} <= measured
    known = {name for suite in power.SUITES for name in parse_suite(suite.get_config())[1]}
    assert set(power.READERS) <= known


def hits(chance: float, count: int = 600) -> Predictions:
    rng = np.random.default_rng(int(1000 * chance))
    values = (rng.random((count, 1)) < chance).astype(np.float32)
    return Predictions.measured(np.arange(count), values, ("balanced_accuracy",))


def test_the_nets_own_readings_and_other_nets_stand_for_controls():
    task = temporal_claims.PAIR
    named = {task: hits(0.8), task.replace("/pair", "/current"): hits(0.6)}
    measured = {("truth", 0): named, ("random", 0): {task: hits(0.34)}}
    rows = {row["control"]: row for row in power.judged(measured, [0], share=0.5)}
    assert set(rows) == {"random", "current"} and rows["current"]["teacher"] == "truth"
    assert rows["current"]["effect"] == pytest.approx(0.2, abs=0.06) and rows["random"]["signal"]
    assert rows["random"]["least"] == temporal_claims.MINIMAL_EFFECT
    assert rows["random"]["systems"] == "biovil_t" and gates.FACTOR == 2
    lines = power.table({"gates": list(rows.values()), "aims": {}}).splitlines()
    assert lines[1].startswith(task) and "signal" in lines[1]
