# SPDX-License-Identifier: Apache-2.0
"""Keeps every patient in one split where a release does not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from medst_jax.data_pipelines.listing.item import Item
from medst_jax.data_pipelines.raw import Reject


def keep_last_split(items: Iterable[Item], order: Sequence[str]) -> tuple[list[Item], list[Reject]]:
    """A patient of several splits stays in the last of `order`; its other items are rejected.

    With evaluation splits last, no test image is lost and none of its patient is trained on.
    """
    items = list(items)
    rank = {split: k for k, split in enumerate(order)}
    last: dict[str, int] = {}
    for item in items:
        last[item.patient_id] = max(rank[item.split], last.get(item.patient_id, 0))
    of_last_split = [item for item in items if rank[item.split] == last[item.patient_id]]
    torn = [
        Reject(item.row, "patient of another split")
        for item in items
        if rank[item.split] != last[item.patient_id]
    ]
    return of_last_split, torn
