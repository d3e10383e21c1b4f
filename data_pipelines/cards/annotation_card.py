# SPDX-License-Identifier: Apache-2.0
"""The data card of a config beside the studies, as JSON and HTML."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from etils import epath

from medst_jax.data.records.annotations import (
    Annotation,
    Phrase,
    SentencePair,
    Text,
    TextPair,
)
from medst_jax.pages.blocks import Block, Page, Section, Table, Tile, Tiles
from medst_jax.pages.render import render

SAMPLES = 12  # of each split that the card may show
_MEANING = {
    "phrases": "Words of reports with the place in the image that they describe.",
    "image_pairs": "Two studies of one patient and how findings changed between them.",
    "sentence_pairs": "Two sentences and how the second relates to the first.",
    "texts": "A corpus of text.",
    "text_pairs": "Two texts about one concept.",
    "entities": "What the report of each study says of a list of findings, and where they are.",
}


def write(
    directory: epath.Path,
    info: Mapping[str, Any],
    facts: Mapping[str, Any],
    samples: Sequence[Annotation],
) -> None:
    """Writes `data_card.json` and `data_card.html`; text is shown where it is redistributable."""
    known = {key: value for key, value in info.items() if key != "shards"}
    (directory / "data_card.json").write_text(json.dumps({**facts, **known}, indent=1))
    splits = info["splits"]
    total = sum(split["records"] for split in splits.values())
    figures = [(f"{split} records", count["records"]) for split, count in splits.items()]
    blocks: list[Block] = [Tiles([Tile(n, name) for name, n in [("records", total), *figures]])]
    rows: list[tuple[Any, ...]]
    counters = sorted({name for split in splits.values() for name in split} - {"records"})
    for counter in counters:
        values = sorted({v for split in splits.values() for v in split.get(counter, {})})
        rows = [(v, *(s.get(counter, {}).get(v, 0) for s in splits.values())) for v in values]
        blocks.append(Section(counter.capitalize(), [Table((counter, *splits), rows)]))
    shown = samples[:SAMPLES] if info["redistributable"] else ()
    blocks.append(Section("Examples", [_examples(shown)]))
    plain = {**facts, **known}
    rows = [(k, str(v)) for k, v in plain.items() if isinstance(v, str | bool) and v != ""]
    blocks.append(Section("Facts", [Table(("fact", "value"), rows)]))
    title = f"Data card: {info['name']}, {info['config']}"
    lead = f"{_MEANING[info['config']]} {facts.get('description', '')}"
    (directory / "data_card.html").write_text(render(Page(title, blocks, lead)))


def _examples(samples: Sequence[Annotation]) -> Table:
    rows: list[tuple[str, ...]] = []
    for item in samples:
        if isinstance(item, Phrase):
            rows.append((item.finding, item.text, f"{len(item.boxes)} boxes"))
        elif isinstance(item, SentencePair):
            rows.append((item.relation, item.text_a, item.text_b, item.subset))
        elif isinstance(item, TextPair):
            rows.append((item.concept, item.text_a, item.text_b, item.kind))
        elif isinstance(item, Text):
            rows.append((item.language, item.text[:300]))
    return Table(("",) * max((len(row) for row in rows), default=0), rows)
