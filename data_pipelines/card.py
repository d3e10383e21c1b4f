# SPDX-License-Identifier: Apache-2.0
"""The data card: what a data set holds, as JSON for programs and HTML for people."""

from __future__ import annotations

import base64
import html
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from array_record.python import array_record_module
from etils import epath

from medst_jax.data import schema
from medst_jax.data.index import Index
from medst_jax.data.parse import parse_study

_GRID_IMAGES, _GRID_PIXELS = 12, 128
_CODES = {
    "positive": schema.POSITIVE,
    "negative": schema.NEGATIVE,
    "uncertain": schema.UNCERTAIN,
    "not mentioned": schema.BLANK,
}


def summarise(
    table: Mapping[str, np.ndarray],
    index: Index,
    labels: Sequence[str],
    rejects: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Counts over the whole data set and per split."""
    everything = np.ones(len(index), bool)
    rows = {str(split): table["split"] == split for split in np.unique(table["split"])}
    return {
        "counts": _count(table, index, everything),
        "splits": {split: _count(table, index, chosen) for split, chosen in rows.items()},
        "prevalence": {
            split: _prevalence(index.labels[chosen], labels) for split, chosen in rows.items()
        },
        "studies_per_patient": {
            str(studies): patients
            for studies, patients in sorted(Counter(np.bincount(index.patient).tolist()).items())
        },
        "rejects": dict(Counter(str(reject["reason"]) for reject in rejects)),
    }


def _count(table: Mapping[str, np.ndarray], index: Index, chosen: np.ndarray) -> dict[str, Any]:
    views = table["views"][chosen]
    return {
        "patients": len(np.unique(index.patient[chosen])),
        "studies": int(chosen.sum()),
        "images": int(views.sum()),
        "views": {v: int(n) for v, n in zip(schema.VIEWS, views.sum(0), strict=True) if n},
        "studies_with_text": int((table["section_count"][chosen] > 0).sum()),
        "sentences": int(index.sentence_count[chosen].sum()),
    }


def _prevalence(codes: np.ndarray, labels: Sequence[str]) -> dict[str, dict[str, int]]:
    return {
        label: {word: int((codes[:, k] == code).sum()) for word, code in _CODES.items()}
        for k, label in enumerate(labels)
    }


def write(
    directory: epath.Path,
    info: Mapping[str, Any],
    facts: Mapping[str, Any],
    include_restricted: bool,
) -> None:
    """Writes `data_card.json` and `data_card.html`.

    Pixels are shown only of redistributable data, or when `include_restricted`; text never.
    """
    card = {**facts, **{key: value for key, value in info.items() if key != "shards"}}
    (directory / "data_card.json").write_text(json.dumps(card, indent=1))
    show = info["redistributable"] or include_restricted
    grid = _sample_grid(directory, info) if show else "<p>Not redistributable: no images here.</p>"
    (directory / "data_card.html").write_text(_page(card, grid))


def _sample_grid(directory: epath.Path, info: Mapping[str, Any]) -> str:
    reader = array_record_module.ArrayRecordReader(str(directory / next(iter(info["shards"]))))
    try:
        count = min(_GRID_IMAGES, reader.num_records())
        rows = np.linspace(0, reader.num_records() - 1, count).astype(int).tolist()
        records = reader.read(rows)
    finally:
        reader.close()
    tags = []
    for record in records:
        study = parse_study(record, tuple(info["labels"]))
        tags += [_thumbnail(image.data, image.view) for image in study.images[:1]]
    return "".join(tags)


def _thumbnail(data: bytes, view: str) -> str:
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert pixels is not None, "a stored image decodes"
    scale = _GRID_PIXELS / max(pixels.shape)
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    small = cv2.imencode(".jpg", cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))[1]
    encoded = base64.b64encode(small.tobytes()).decode()
    return f'<img alt="{html.escape(view)}" src="data:image/jpeg;base64,{encoded}">'


def _page(card: Mapping[str, Any], grid: str) -> str:
    facts = {
        key: value for key, value in card.items() if not isinstance(value, Mapping | list | tuple)
    }
    parts = [_table("Facts", ("", ""), facts.items())]
    names = ("split", "patients", "studies", "images", "with text", "sentences", "views")
    rows = [
        (
            split,
            *(c[k] for k in ("patients", "studies", "images", "studies_with_text", "sentences")),
            ", ".join(f"{view} {n}" for view, n in c["views"].items()),
        )
        for split, c in card["splits"].items()
    ]
    parts.append(_table("Splits", names, rows))
    for split, prevalence in card["prevalence"].items():
        rows = [(label, *counts.values()) for label, counts in prevalence.items()]
        parts.append(_table(f"Labels, {split}", ("label", *_CODES), rows))
    per_patient = card["studies_per_patient"].items()
    parts.append(_table("Studies per patient", ("studies", "patients"), per_patient))
    parts.append(_table("Rejects", ("reason", "count"), card["rejects"].items()))
    title = html.escape(f"Data card: {card['name']}")
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        "<style>body{font:14px sans-serif;margin:2em}td,th{padding:2px 10px;text-align:left}"
        "img{margin:3px}</style>"
        f"<h1>{title}</h1>{grid}{''.join(parts)}</html>\n"
    )


def _table(title: str, names: Sequence[str], rows: Any) -> str:
    def line(cells: Sequence[Any], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(str(c))}</{tag}>" for c in cells) + "</tr>"

    body = "".join(line(row, "td") for row in rows)
    return f"<h2>{html.escape(title)}</h2><table>{line(names, 'th')}{body}</table>"
