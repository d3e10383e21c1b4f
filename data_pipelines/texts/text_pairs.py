# SPDX-License-Identifier: Apache-2.0
"""Pairs of texts about one concept: from a table of one's own, or of the simulated cohort's findings.

A folder's `text_pairs.csv` has the columns concept, text_a, text_b and kind, and may have split
("train" where it has none). The concept is any name or number, such as UMLS's CUI, "" for none: pairs
of equal concepts fit one another. UMLS itself is licensed: whoever may use it writes the table.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from etils import epath

from medst_jax.data.records.annotations import TextPair
from medst_jax.data_pipelines import cells
from medst_jax.data_pipelines.listing.about import About
from medst_jax.data_pipelines.listing.csv_table import CsvTable, TableRow, need_table
from medst_jax.data_pipelines.raw import Reject
from medst_jax.data_pipelines.texts.source import TextSource

TABLE = "text_pairs.csv"
KNOWLEDGE = Path(__file__).resolve().parents[1] / "simulated_cxr" / "knowledge.json"


@dataclass(frozen=True)
class TextPairs(TextSource):
    """A table of one's own."""

    name: str = "text_pairs"

    config = "text_pairs"
    about = About(description="Pairs of texts about one concept")

    def files(self) -> Sequence[epath.Path]:
        return [need_table(self.source_dir, TABLE)]

    def records(self) -> Iterator[tuple[str, TextPair] | Reject]:
        table = CsvTable(self.files()[0]).need("concept", "text_a", "text_b", "kind")
        pairs, rejects = table.parse(_pair)
        yield from rejects
        yield from pairs


@dataclass(frozen=True)
class SimulatedKnowledge(TextSource):
    """Names, definitions, looks and places of the findings of the simulated cohort."""

    source_dir: str = str(KNOWLEDGE.parent)
    name: str = "simulated_knowledge"

    config = "text_pairs"
    about = About(
        description="What the findings of the simulated cohort are called, are and look like",
        licence="Apache-2.0",
        redistributable=True,
    )

    def files(self) -> Sequence[epath.Path]:
        return [epath.Path(KNOWLEDGE)]

    def records(self) -> Iterator[tuple[str, TextPair] | Reject]:
        for pair in json.loads(KNOWLEDGE.read_text(encoding="utf-8"))["pairs"]:
            yield "train", TextPair(*pair)


def _pair(row: TableRow) -> tuple[str, TextPair]:
    text_a, text_b = (cells.needed(row.get(name), name) for name in ("text_a", "text_b"))
    return row.get("split") or "train", TextPair(
        row.get("concept"), text_a, text_b, row.get("kind")
    )
