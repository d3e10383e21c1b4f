# SPDX-License-Identifier: Apache-2.0
"""Evaluation subsets of equally many images per class, each with one positive class.

The published lists of the 5x200 sets are not reproducible from their papers. The rule here is:
frontal images with exactly one positive among the classes (uncertain and blank count as not
positive), in the order of the SHA-256 of their image id, at most one image per patient and class,
the first `per_class` of each class.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Sequence

from medst_jax.data.records import schema
from medst_jax.data_pipelines.listing.chexpert_labels import only_positive
from medst_jax.data_pipelines.listing.item import Item


def one_class_each(items: Iterable[Item], classes: Sequence[str], per_class: int) -> list[Item]:
    """The subset, every item in split test with codes 1 and 0 over `classes`."""
    chosen: list[Item] = []
    taken: set[tuple[str, str]] = set()
    counts = dict.fromkeys(classes, 0)
    frontal = (item for item in items if item.view in schema.FRONTAL_VIEWS)
    for item in sorted(frontal, key=_place):
        positive = only_positive(item.labels, classes)
        if (
            positive is None
            or counts[positive] == per_class
            or (item.patient_id, positive) in taken
        ):
            continue
        counts[positive] += 1
        taken.add((item.patient_id, positive))
        labels = {label: int(label == positive) for label in classes}
        chosen.append(dataclasses.replace(item, labels=labels, split="test"))
    return sorted(chosen, key=lambda item: item.row)


def _place(item: Item) -> bytes:
    return hashlib.sha256(item.image_id.encode()).digest()
