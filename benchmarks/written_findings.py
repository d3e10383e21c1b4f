# SPDX-License-Identifier: Apache-2.0
"""Judges `label_findings` on 300 written cases of negation, doubt and reach.

    python benchmarks/written_findings.py [--json]

The cases are sentences written for this purpose, with what a radiologist would say of them fixed
before any labeler had read them; they are hard on purpose, and no sample of real reports.
Precision: of the codes given, how many are right. Recall: of the codes that are right, how many
are given. "No Finding" is left out: it follows from the others.
"""

import csv
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from absl import app, flags

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from medst_jax.text import label_findings
from medst_jax.text.mentions import FINDINGS, NO_FINDING

CASES = ROOT / "tests/text/finding_cases.tsv"
CODES = {"+": 1, "-": 0, "?": -1}
JSON = flags.DEFINE_bool("json", False, "print one JSON object")


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
    said = {}
    for part in filter(None, row["says"].split("; ")):
        name, _, sign = part.rpartition(" ")
        if name not in FINDINGS or sign not in CODES:
            raise ValueError(f"case {row['id']} says {part!r}; write a finding and one of + - ?")
        said[name] = CODES[sign]
    return said


def given_codes(text: str, label: Callable[[str], Mapping[str, int]] = label_findings) -> dict:
    """What a labeler says of a text, without "No Finding"."""
    return {name: code for name, code in label(text).items() if name != NO_FINDING}


def score(cases: Iterable[WrittenCase], code: int | None = None) -> Score:
    """Counts over cases; of one code, or of all."""
    right = given = written = 0
    for case in cases:
        found = given_codes(case.text)
        right += sum(found.get(n) == c for n, c in case.says.items() if code in (None, c))
        given += sum(code in (None, c) for c in found.values())
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


def main(argv: list[str]) -> None:
    """Prints the table."""
    del argv
    cases = read_cases()
    table, failed = scores(cases), failures(cases)
    if JSON.value:
        rows = {
            name: {"precision": round(s.precision, 3), "recall": round(s.recall, 3), **s._asdict()}
            for name, s in table.items()
        }
        print(json.dumps({"cases": len(cases), "scores": rows, "failed": failed}))
        return
    for name, s in table.items():
        print(f"{name:18s} {s.precision:.3f} {s.recall:.3f}  {s.right}/{s.given}/{s.written}")
    print(f"{len(cases) - len(failed)} of {len(cases)} cases right; not:", *failed)


if __name__ == "__main__":
    app.run(main)
