# SPDX-License-Identifier: Apache-2.0
"""The data card: what a data set holds, as JSON for programs and HTML for people."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from etils import epath

from medst_jax.data.records import schema
from medst_jax.data.records.index import Index
from medst_jax.data.records.studies import dataset_dir, open_studies
from medst_jax.data.records.study import Study
from medst_jax.data_pipelines.cards import page, pictures
from medst_jax.data_pipelines.cards.no_finding_statistics import no_finding_statistics
from medst_jax.data_pipelines.cards.text_statistics import text_statistics
from medst_jax.data_pipelines.cards.truth_statistics import truth_statistics
from medst_jax.files.reading import read_json
from medst_jax.files.writing import write_atomic
from medst_jax.pages.blocks import Block

FILE = "data_card.json"
_LOOKED_AT = 2000
_CODES = {
    "positive": schema.POSITIVE,
    "negative": schema.NEGATIVE,
    "uncertain": schema.UNCERTAIN,
    "not mentioned": schema.BLANK,
    "unknown": schema.OUTSIDE,
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
    data_dir: epath.PathLike,
    info: Mapping[str, Any],
    facts: Mapping[str, Any],
    include_restricted: bool,
) -> None:
    """Writes `data_card.json` and `data_card.html` of a data set that is in its place.

    To `facts` come statistics of its text and, where it has one, of its labels against the truth.
    Pixels and text are shown only of redistributable data, or when `include_restricted`.
    """
    card = {**facts, **{key: value for key, value in info.items() if key != "shards"}}
    card["shows_data"] = bool(info["redistributable"] or include_restricted)
    names = card.get("truth_finding_names")
    # Looking into some of the studies of a large data set is enough for its card.
    if any(split["studies_with_text"] for split in info["splits"].values()):
        reports = (study.sections for study in _some(data_dir, info) if study.sections)
        card["text"] = text_statistics(reports)
        compared = no_finding_statistics(_some(data_dir, info), tuple(info["labels"]))
        if compared:
            card["no_finding_against_reports"] = compared
    if names and "truth_visible_in" in info["truth_features"]:
        studies = _some(data_dir, info, truth=True)
        card["label_against_truth"] = truth_statistics(studies, tuple(info["labels"]), names)
    _save(data_dir, info["name"], card)


def add(data_dir: epath.PathLike, name: str, facts: Mapping[str, Any]) -> None:
    """Adds facts to the card of a data set and renders it again."""
    card = read_json(dataset_dir(data_dir, name) / FILE, "prepare the data set again")
    _save(data_dir, name, {**card, **facts})


def _save(data_dir: epath.PathLike, name: str, card: Mapping[str, Any]) -> None:
    directory = dataset_dir(data_dir, name)
    grid: list[Block] = []
    strip: list[Block] = []
    if card["shows_data"]:
        splits = [open_studies(data_dir, name, split) for split in sorted(card["splits"])]
        grid, strip = pictures.grid(splits), pictures.film_strip(splits)
    # The page first: where there is a card, there is its page.
    write_atomic(directory / "data_card.html", page.render(card, grid, strip))
    write_atomic(directory / FILE, json.dumps(card, indent=1))


def _some(
    data_dir: epath.PathLike, info: Mapping[str, Any], truth: bool = False
) -> Iterator[Study]:
    """Evenly spaced studies of all splits, `_LOOKED_AT` at most."""
    total = sum(split["studies"] for split in info["splits"].values())
    for name in sorted(info["splits"]):
        studies = open_studies(data_dir, info["name"], name, truth=truth)
        share = min(len(studies), max(1, _LOOKED_AT * len(studies) // max(total, 1)))
        for row in np.unique(np.linspace(0, len(studies) - 1, share).astype(int)).tolist():
            yield studies[row]
