# SPDX-License-Identifier: Apache-2.0
"""Severity of edema: written cases, and the reference's outputs when present."""

import json

import pytest

from medst_jax.text import edema_severity

# Faults of the released rules that are repaired here, with the right grade.
REPAIRED = {
    "Pulmonary vascular engorgement, likely due to volume overload; alveolar infiltrates are "
    "unlikely": 1,
    "Interstitial opacities resolved. Pulmonary edema has resolved.": 0,
}


@pytest.mark.parametrize(
    ("report", "grade"),
    [
        ("", -1),
        ("Clear lungs.", -1),
        ("There is no pulmonary edema.", 0),
        ("No evidence of interstitial edema.", -1),
        ("Pulmonary vascular congestion. No interstitial edema.", 1),
        ("Kerley B lines.", 2),
        ("Severe pulmonary edema.", 3),
        ("Interstitial edema with alveolar opacities.", 3),
        ("INDICATION: severe pulmonary edema. FINDINGS: No pulmonary edema.", 0),
        *REPAIRED.items(),
    ],
)
def test_grades(report, grade):
    assert edema_severity(report) == grade


def test_reference(shared):
    path = shared / "oracle" / "edema_regex.json"
    if not path.exists():
        pytest.skip(f"{path} is absent")
    for case in json.loads(path.read_text()):
        expected = REPAIRED.get(case["report"], case["miccai2020"]["label"])
        assert edema_severity(case["report"]) == expected, case["report"]
