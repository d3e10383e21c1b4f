# SPDX-License-Identifier: Apache-2.0
"""Findings of reports: written cases, and invariances on them."""

import time

import pytest

from medst_jax.text import label_findings, label_sentence
from medst_jax.text.mentions import FINDINGS
from tests.text.finding_cases import CASES


@pytest.mark.parametrize(("report", "expected"), CASES, ids=[case[0][:50] for case in CASES])
def test_written_cases(report, expected):
    assert label_findings(report) == expected


@pytest.mark.parametrize(("report", "expected"), CASES[4:], ids=[c[0][:50] for c in CASES[4:]])
def test_letter_case_and_line_breaks_do_not_matter(report, expected):
    if ":" not in report:
        assert label_findings(report.upper()) == expected
        assert label_findings(report.replace(" ", "\n")) == expected


def test_names_come_in_the_order_of_the_labeler():
    names = list(label_findings("Pacemaker. Effusion. Edema. Cardiomegaly."))
    assert names == sorted(names, key=FINDINGS.index)


def test_abnormalities_outside_the_observations_have_no_name():
    assert label_sentence("Severe emphysema.") == {"": 1}
    assert label_sentence("No emphysema.") == {"": 0}


def test_many_reports_a_second():
    reports = [f"FINDINGS: {text} {more}" for text, _ in CASES[4:60] for more, _ in CASES[4:24]]
    label_findings(reports[0])
    start = time.process_time()
    for report in reports:
        label_findings(report)
    # Two short sentences each; an eighth of the speed measured alone, for busy machines.
    assert len(reports) / (time.process_time() - start) > 1000
