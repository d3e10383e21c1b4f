# SPDX-License-Identifier: Apache-2.0
"""The 85 classes: written cases of each beyond the 14, what they imply, and the 14 unchanged."""

import csv
import json
import pathlib

import pytest

from experiments.labeler.written_cases import read_cases
from medst_jax.text import label_findings, label_union, union
from medst_jax.text.mentions import FINDINGS
from medst_jax.text.union import UNION

FILE_OF_PHRASES = pathlib.Path(union.__file__).with_name("lexicons") / "union.json"
FILE = pathlib.Path(__file__).with_name("union_cases.tsv")
with FILE.open(encoding="utf-8") as file:
    ROWS = list(csv.DictReader(file, delimiter="\t"))
NAMED = tuple(name.lower() for name in FINDINGS)


def test_there_are_85_classes_and_cases_of_all_beyond_the_14():
    assert len(UNION) == len(set(UNION)) == 85 and set(NAMED) < set(UNION)
    assert {row["class"] for row in ROWS} == set(UNION) - set(NAMED)


@pytest.mark.parametrize("row", ROWS, ids=[row["class"] for row in ROWS])
def test_mention_and_negation(row):
    name = row["class"]
    affirmed, denied = label_union(row["affirmed"]), label_union(row["denied"])
    assert affirmed.get(name) == 1, affirmed
    assert denied.get(name) == 0, denied
    assert label_union("Possible " + row["affirmed"].lower()).get(name, 0) != 0


@pytest.mark.parametrize("case", read_cases(), ids=lambda case: case.id)
def test_the_14_are_those_of_label_findings(case):
    found, expected = label_union(case.text), label_findings(case.text)
    assert list(found) == [name for name in UNION if name in found]
    for finding in FINDINGS[1:]:
        # What a class of the 71 implies may add to the 14, never take away.
        name, before = finding.lower(), expected.get(finding)
        assert found.get(name) == before or (found[name] in (1, -1) and before != 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("Clear lungs.", {"no finding": 1}),
        ("Tortuous aorta.", {"aortic elongation": 1}),
        (
            "Old rib fracture.",
            {"callus rib fracture": 1, "fracture": 1, "rib fracture": 1},
        ),
        ("No effusion, mild scoliosis.", {"pleural effusion": 0, "scoliosis": 1}),
        (
            "No linear atelectasis.",
            {"atelectasis": 0, "laminar atelectasis": 0, "no finding": 1},
        ),
        ("Median sternotomy.", {"sternotomy": 1}),
        ("Median sternotomy. Clear lungs.", {"no finding": 1, "sternotomy": 1}),
        ("No emphysema but goiter.", {"emphysema": 0, "goiter": 1}),
        ("Possible tuberculosis.", {"tuberculosis": -1}),
        ("INDICATION: Emphysema.\nFINDINGS: Kyphosis.", {"kyphosis": 1}),
        ("Subcutaneous emphysema.", {}),
        (
            "Calcified granuloma, no hilar adenopathy.",
            {"adenopathy": 0, "calcified granuloma": 1, "granuloma": 1},
        ),
    ],
)
def test_reports(text, expected):
    assert label_union(text) == expected


PHRASES = [
    (name, phrase)
    for name, entry in json.loads(FILE_OF_PHRASES.read_text())["classes"].items()
    for phrase in entry["phrases"]
]


def test_no_phrase_hides_behind_another():
    hidden = [
        (n, p) for n, p in PHRASES if label_union(f"{p.replace('*', '')} is seen").get(n) != 1
    ]
    assert not hidden
