# SPDX-License-Identifier: Apache-2.0
"""Reads the written cases of findings and counts what a labeler gets right of them."""

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from medst_jax.text.labeler import label_findings
from medst_jax.text.mentions import FINDINGS
from medst_jax.text.no_finding import NO_FINDING

CASES = Path(__file__).resolve().parents[2] / "tests/text/finding_cases.tsv"
ASIDE = CASES.with_name("finding_cases_aside.tsv")
CODES = {"+": 1, "-": 0, "?": -1}


class WrittenCase(NamedTuple):
    """`says`: finding -> 1 affirmed, 0 denied, -1 doubted; all others are unmentioned."""

    id: str
    kind: str
    text: str
    says: Mapping[str, int]


class Score(NamedTuple):
    """Counts of codes: right, given by the labeler, and written with the cases."""

    right: int
    given: int
    written: int

    @property
    def precision(self) -> float:
        """Right of the given."""
        return self.right / max(self.given, 1)

    @property
    def recall(self) -> float:
        """Right of the written."""
        return self.right / max(self.written, 1)


def read_cases(path: Path = CASES) -> tuple[WrittenCase, ...]:
    """The cases of a table `id, kind, text, says`, such as `Edema +; Pneumonia ?`.

    Raises:
      ValueError: an unknown finding or sign, or an id or text that occurs twice.
    """
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    for column in ("id", "text"):
        if len({row[column] for row in rows}) < len(rows):
            raise ValueError(f"{path.name}: a value of {column!r} occurs twice")
    return tuple(
        WrittenCase(row["id"], row["kind"], row["text"].replace("\\n", "\n"), _says(row))
        for row in rows
    )


def _says(row: Mapping[str, str]) -> dict[str, int]:
    codes = {}
    for part in filter(None, row["says"].split("; ")):
        name, _, sign = part.rpartition(" ")
        if name not in FINDINGS or sign not in CODES:
            raise ValueError(f"case {row['id']} says {part!r}; write a finding and one of + - ?")
        codes[name] = CODES[sign]
    return codes


def given_codes(text: str) -> dict[str, int]:
    """What the labeler says of a text, without "No Finding"."""
    return {name: code for name, code in label_findings(text).items() if name != NO_FINDING}


def score(cases: Iterable[WrittenCase], code: int | None = None) -> Score:
    """Counts over cases; of one code, or of all."""
    right = given = written = 0
    for case in cases:
        answered = given_codes(case.text)
        right += sum(answered.get(n) == c for n, c in case.says.items() if code in (None, c))
        given += sum(code in (None, c) for c in answered.values())
        written += sum(code in (None, c) for c in case.says.values())
    return Score(right, given, written)


def scores(cases: Iterable[WrittenCase]) -> dict[str, Score]:
    """Counts by kind of case, by code, and of all."""
    cases = tuple(cases)
    kinds = dict.fromkeys(case.kind for case in cases)
    return {
        **{kind: score(case for case in cases if case.kind == kind) for kind in kinds},
        **{name: score(cases, code) for name, code in zip("+-?", (1, 0, -1), strict=True)},
        "all": score(cases),
    }


def failures(cases: Iterable[WrittenCase]) -> list[str]:
    """Ids of the cases that are not labelled as written."""
    return [case.id for case in cases if given_codes(case.text) != case.says]
