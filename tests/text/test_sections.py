# SPDX-License-Identifier: Apache-2.0
"""Sections of reports."""

import pytest

from medst_jax.text import split_sections


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        ("", []),
        ("Clear lungs.", [("report", "Clear lungs.")]),
        (
            "FINDINGS: Clear.\nIMPRESSION: Normal.",
            [("FINDINGS", "Clear."), ("IMPRESSION", "Normal.")],
        ),
        (
            "FINDINGS: Clear. IMPRESSION: Normal.",
            [("FINDINGS", "Clear."), ("IMPRESSION", "Normal.")],
        ),
        (
            "Portable film.\nFindings: Clear.",
            [("report", "Portable film."), ("FINDINGS", "Clear.")],
        ),
        ("COMPARISONS: None.\nEXAM: CHEST", [("COMPARISON", "None."), ("EXAMINATION", "CHEST")]),
        ("CHEST RADIOGRAPH: one view", [("CHEST RADIOGRAPH", "one view")]),
        ("FINDINGS:\nIMPRESSION: Normal.", [("IMPRESSION", "Normal.")]),
        ("No acute findings: clear", [("report", "No acute findings: clear")]),
    ],
)
def test_split_sections(report, expected):
    assert split_sections(report) == expected
