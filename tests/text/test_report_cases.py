# SPDX-License-Identifier: Apache-2.0
"""Reports as people write them: written cases by kind, and properties over real reports."""

import csv
import pathlib
import time

import pytest

from experiments.labeler.open_i import read_reports
from experiments.labeler.written_cases import CODES
from medst_jax.data_pipelines.listing.sentences import sentences_of
from medst_jax.text import edema_severity, label_findings, label_sentence, label_union
from medst_jax.text import split_sections as split
from medst_jax.text.language import is_foreign
from medst_jax.text.mentions import FINDINGS
from medst_jax.text.no_finding import HARMLESS, NO_FINDING, OTHER, says_no_finding
from medst_jax.text.reading import describing_sentences, merge_labels

FILE = pathlib.Path(__file__).with_name("report_cases.tsv")
with FILE.open(encoding="utf-8", newline="\n") as file:
    ROWS = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def written(row: dict[str, str]) -> tuple[str, dict[str, int]]:
    """The text of a case and all that it says, No Finding included."""
    says = (part.rpartition(" ") for part in row["says"].split("; ") if part)
    text = row["text"].replace("\\n", "\n").replace("\\r", "\r")
    return text, {name: CODES[sign] for name, _, sign in says}


@pytest.mark.parametrize("row", ROWS, ids=[row["id"] for row in ROWS])
def test_case(row):
    text, says = written(row)
    assert label_findings(text) == says


def test_ten_cases_of_each_kind():
    kinds = [row["kind"] for row in ROWS]
    assert len(set(kinds)) == 14 and min(kinds.count(kind) for kind in kinds) >= 10
    assert len({row["text"] for row in ROWS}) == len(ROWS)


@pytest.fixture(scope="module")
def reports(shared):
    return list(read_reports(shared))[::3]


def test_one_rule_for_no_finding_over_real_reports(reports):
    said = 0
    for report in reports:
        codes: dict[str, int] = {}
        for _, sentence in describing_sentences(report.text):
            merge_labels(codes, label_sentence(sentence))
        labels = label_findings(report.text)
        assert labels.get(NO_FINDING) in (None, 1)
        assert (NO_FINDING in labels) == says_no_finding(codes)
        others = {name: code for name, code in codes.items() if name != "Support Devices"}
        abnormal = any(code != 0 for code in others.values())
        assert (NO_FINDING in labels) == (0 in codes.values() and not abnormal)
        said += NO_FINDING in labels
    assert 0.3 < said / len(reports) < 0.6


def test_sentences_and_union_follow_the_same_rule(reports):
    for report in reports:
        for title, text in report.sections:
            for (start, end), labels in sentences_of(title, text, "en", FINDINGS):
                codes = label_sentence(text[start:end])
                expected = says_no_finding(codes) and bool(labels)
                assert labels.get(NO_FINDING) == (1 if expected else None)
        union = label_union(report.text)
        if union.get("no finding") == 1:
            named = {name for name, code in union.items() if code != 0}
            assert named <= HARMLESS | {"no finding"}
            assert label_findings(report.text).get(NO_FINDING) == 1


def test_real_reports_are_english(reports):
    assert not [report for report in reports if is_foreign(report.text)]


def test_a_normal_statement_denies_what_has_no_name():
    assert label_sentence("No acute cardiopulmonary process.") == {OTHER: 0}
    assert label_sentence("Compared with the prior film.") == {}


@pytest.mark.parametrize(
    "unit",
    [
        *("no edema, ", "heart ", "but no ", "and/or ", "possible, ", "No edema\n", "Findings: "),
        *("Edema? No. ", "(-) edema ", "ADDENDUM: x\n", "effusion: ", "heart size stable "),
    ],
)
def test_the_time_grows_with_the_length_and_no_faster(unit):
    text = (unit * 10_000)[:10_000]
    times = []
    for _ in range(3):
        start = time.process_time()
        label_findings(text + " ")
        edema_severity(text)
        times.append(time.process_time() - start)
    assert min(times) < 0.25  # five times what it takes, for busy machines; the cube took minutes


def test_sections_of_several_readings():
    report = "WET READ: 9:21 PM\n Edema.\n______________\n FINAL REPORT\n FINDINGS: No edema."
    assert split(report) == [("WET READ", "9:21 PM\n Edema."), ("FINDINGS", "No edema.")]
    # Joined again under their names they say the same.
    joined = "FINDINGS: Edema.\nADDENDUM FINDINGS: No edema."
    assert label_findings(joined) == {NO_FINDING: 1, "Edema": 0}
    assert edema_severity("WET READ: Interstitial edema.\nFINAL REPORT\nNo pulmonary edema.") == 0
