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
        (
            (
                "                                 FINAL REPORT\n EXAMINATION:  CHEST (PA AND LAT)\n\n"
                " INDICATION:  ___F with cough  // ?pneumonia\n \n FINDINGS: \n \n Clear lungs.\n"
            ),
            [
                ("EXAMINATION", "CHEST (PA AND LAT)"),
                ("INDICATION", "___F with cough  // ?pneumonia"),
                ("FINDINGS", "Clear lungs."),
            ],
        ),
        (
            (
                " FINAL REPORT\n CHEST RADIOGRAPH\n \n INDICATION:  Cough.\n \n"
                " COMPARISON:  None.\n \n Clear lungs.\n \n No effusion."
            ),
            [
                ("report", "CHEST RADIOGRAPH"),
                ("INDICATION", "Cough."),
                ("COMPARISON", "None."),
                ("report", "Clear lungs.\n \n No effusion."),
            ],
        ),
        (
            "COMPARISON: None.\n\nIMPRESSION: Normal.\n\nSigned.",
            [("COMPARISON", "None."), ("IMPRESSION", "Normal.\n\nSigned.")],
        ),
        ("No acute findings: clear", [("report", "No acute findings: clear")]),
    ],
)
def test_split_sections(report, expected):
    assert split_sections(report) == expected
