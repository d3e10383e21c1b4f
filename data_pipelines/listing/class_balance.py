# SPDX-License-Identifier: Apache-2.0
"""Evaluation subsets of equally many images per class: the 5x200 sets.

| rule | a candidate of a class is | drawn |
|---|---|---|
| `chexpert` (GLoRIA, MGCA) | a frontal image whose one label is the class: every other but No Finding is 0, blank counts as 0, -1 does not | 200 a class, seed 0: MGCA's list |
| `mimic` (DLILP) | a frontal image, the first of its patient, whose one label of the five is the class | 200 a class, seed 42 |
| `v1` (this project before) | a frontal image with one positive of the five, whatever else it shows | the first 200 by SHA-256 of the id, one per patient and class |

Under `v1` 76 to 90% of the candidates show another finding: another, harder task. A released list
that lies in the folder goes before every rule.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from etils import epath

from medst_jax.data.records import schema
from medst_jax.data_pipelines.cells import CellError
from medst_jax.data_pipelines.listing.chexpert_labels import FIVE, codes, only_positive
from medst_jax.data_pipelines.listing.csv_table import CsvTable, TableError, TableRow
from medst_jax.data_pipelines.listing.item import Item, Listing
from medst_jax.data_pipelines.raw import Reject

PER_CLASS = 200
RULES = ("published", "v1")
_ABSENT = (schema.NEGATIVE, schema.BLANK)


def five_by_200(
    listing: Listing,
    *,
    rule: str,
    published: Callable[[Sequence[Item]], tuple[list[Item], dict[str, int]]],
    released: epath.Path,
    name_of: Callable[[str], str],
) -> Listing:
    """The subset, every item in split test with codes 1 and 0 over the five classes.

    Args:
      listing: all images, with the labels that the rule reads.
      rule: "published" or "v1".
      published: the rule of the data set's paper.
      released: a list that may be there, with the columns Path and the five classes.
      name_of: the image id of a Path of that list.

    Raises:
      TableError: the released list names no image of the listing.
    """
    if released.exists():
        items, rejects = _listed(listing, released, name_of)
        card: dict[str, object] = {"list": released.name}
        return Listing(items, [*listing.rejects, *rejects], FIVE, card)
    items, candidates = published(listing.items) if rule == "published" else v1(listing.items)
    return Listing(items, listing.rejects, FIVE, {"rule": rule, "candidates": candidates})


def chexpert(
    items: Sequence[Item], per_class: int = PER_CLASS
) -> tuple[list[Item], dict[str, int]]:
    """GLoRIA's rule with MGCA's seed, and the number of candidates of each class."""
    frontal = [item for item in items if "_frontal" in item.image_id]
    alone = {name: [item for item in frontal if _shows_only(item.labels, name)] for name in FIVE}
    return _drawn(alone, per_class, seed=0)


def mimic(items: Sequence[Item], per_class: int = PER_CLASS) -> tuple[list[Item], dict[str, int]]:
    """DLILP's rule, and the number of candidates of each class."""
    candidates: dict[str, list[Item]] = {name: [] for name in FIVE}
    patients: set[str] = set()
    for item in items:
        positive = only_positive(item.labels, FIVE)
        others = [item.labels.get(name, schema.BLANK) for name in FIVE if name != positive]
        if (
            positive is None
            or item.view not in schema.FRONTAL_VIEWS
            or item.patient_id in patients
            or not set(others) <= set(_ABSENT)
        ):
            continue
        patients.add(item.patient_id)
        candidates[positive].append(item)
    return _drawn(candidates, per_class, seed=42)


def v1(
    items: Iterable[Item], classes: Sequence[str] = FIVE, per_class: int = PER_CLASS
) -> tuple[list[Item], dict[str, int]]:
    """The rule of this project's first edition, and the number of candidates of each class."""
    frontal = (item for item in items if item.view in schema.FRONTAL_VIEWS)
    candidates: dict[str, list[Item]] = {name: [] for name in classes}
    taken: set[tuple[str, str]] = set()
    for item in sorted(frontal, key=_place):
        positive = only_positive(item.labels, classes)
        if positive is None or (item.patient_id, positive) in taken:
            continue
        taken.add((item.patient_id, positive))
        candidates[positive].append(item)
    chosen = {name: members[:per_class] for name, members in candidates.items()}
    return _labelled(chosen, classes), _counts(candidates)


def _shows_only(labels: Mapping[str, int], name: str) -> bool:
    return labels.get(name) == schema.POSITIVE and all(
        code in _ABSENT for other, code in labels.items() if other not in (name, "No Finding")
    )


def _drawn(
    candidates: Mapping[str, Sequence[Item]], per_class: int, seed: int
) -> tuple[list[Item], dict[str, int]]:
    chosen = {}
    for name, members in candidates.items():
        # As pandas' `sample(n, random_state=seed)` draws from a table of the candidates.
        rows = np.random.RandomState(seed).choice(
            len(members), min(per_class, len(members)), replace=False
        )
        chosen[name] = [members[row] for row in rows]
    return _labelled(chosen, FIVE), _counts(candidates)


def _labelled(chosen: Mapping[str, Sequence[Item]], classes: Sequence[str]) -> list[Item]:
    items = [
        dataclasses.replace(item, labels={c: int(c == name) for c in classes}, split="test")
        for name, members in chosen.items()
        for item in members
    ]
    return sorted(items, key=lambda item: item.row)


def _counts(candidates: Mapping[str, Sequence[Item]]) -> dict[str, int]:
    return {name: len(members) for name, members in candidates.items()}


def _listed(
    listing: Listing, released: epath.Path, name_of: Callable[[str], str]
) -> tuple[list[Item], list[Reject]]:
    by_image = {item.image_id: item for item in listing.items}

    def parse(row: TableRow) -> Item:
        positive = only_positive(codes(row, FIVE), FIVE)
        if positive is None:
            raise CellError("not exactly one of the five classes")
        item = by_image.get(name_of(row.get("Path")))
        if item is None:
            raise CellError("image is not in the tables")
        return dataclasses.replace(
            item, labels={name: int(name == positive) for name in FIVE}, split="test"
        )

    items, refused = CsvTable(released).need("Path", *FIVE).parse(parse)
    if not items:
        raise TableError(f"{released} names no image of {released.parent}")
    rejects = [Reject(r.row, f"{released.name}: {r.reason}") for r in refused]
    return sorted(items, key=lambda item: item.row), rejects


def _place(item: Item) -> bytes:
    return hashlib.sha256(item.image_id.encode()).digest()
