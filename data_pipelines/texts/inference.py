# SPDX-License-Identifier: Apache-2.0
"""Natural language inference on clinical sentences: RadNLI and MedNLI.

| data set | files (one JSON object per line) |
|---|---|
| radnli | radnli_dev_v1.jsonl, radnli_test_v1.jsonl |
| mednli | mli_train_v1.jsonl, mli_dev_v1.jsonl, mli_test_v1.jsonl |

Keys: sentence1, sentence2, gold_label (entailment, contradiction or neutral). The text entails or
contradicts in the direction from sentence1 to sentence2.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from etils import epath

from medst_jax.data.records.annotations import SentencePair
from medst_jax.data_pipelines.listing.about import About
from medst_jax.data_pipelines.listing.csv_table import TableError
from medst_jax.data_pipelines.raw import Reject
from medst_jax.data_pipelines.texts.source import TextSource

_RELATIONS = ("entailment", "contradiction", "neutral")


@dataclass(frozen=True)
class JsonLines(TextSource):
    """Pairs in JSON lines; a file that is absent leaves out its split."""

    config = "sentence_pairs"
    by_split: ClassVar[Mapping[str, str]]

    def files(self) -> Sequence[epath.Path]:
        root = epath.Path(self.source_dir)
        paths = [root / name for name in self.by_split.values() if (root / name).exists()]
        if not paths:
            raise TableError(f"{root} has none of {', '.join(self.by_split.values())}")
        return paths

    def records(self) -> Iterator[tuple[str, SentencePair] | Reject]:
        files = {path.name: path for path in self.files()}
        for split, name in self.by_split.items():
            if name in files:
                lines = files[name].read_bytes().split(b"\n")
                for number, line in enumerate(lines, 1):
                    if line.strip():
                        pair = parse_line(line, self.name)
                        yield Reject(number, pair) if isinstance(pair, str) else (split, pair)


def parse_line(line: bytes, subset: str) -> SentencePair | str:
    """The pair of a line, or the reason why there is none."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return "line is not JSON"
    if not isinstance(record, dict):
        return "line is not a JSON object"
    first, second, relation = (record.get(k) for k in ("sentence1", "sentence2", "gold_label"))
    if not (isinstance(first, str) and isinstance(second, str) and first and second):
        return "sentence1 or sentence2 is missing"
    if relation not in _RELATIONS:
        return f"gold_label is none of {', '.join(_RELATIONS)}"
    return SentencePair(first.strip(), second.strip(), str(relation), subset)


@dataclass(frozen=True)
class RadNli(JsonLines):
    """Sentences of MIMIC-CXR reports."""

    name: str = "radnli"

    by_split: ClassVar = {"val": "radnli_dev_v1.jsonl", "test": "radnli_test_v1.jsonl"}
    about = About(
        description="RadNLI: inference on sentences of MIMIC-CXR reports (Miura et al., "
        "arXiv:2010.10042)",
        licence="PhysioNet Credentialed Health Data License 1.5.0",
        evaluation_only=True,
    )


@dataclass(frozen=True)
class MedNli(JsonLines):
    """Sentences of MIMIC-III notes."""

    name: str = "mednli"

    by_split: ClassVar = {
        "train": "mli_train_v1.jsonl",
        "val": "mli_dev_v1.jsonl",
        "test": "mli_test_v1.jsonl",
    }
    about = About(
        description="MedNLI: inference on sentences of MIMIC-III notes (Romanov and Shivade, "
        "arXiv:1808.06752)",
        licence="PhysioNet Credentialed Health Data License 1.5.0",
    )
