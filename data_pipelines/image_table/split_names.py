# SPDX-License-Identifier: Apache-2.0
"""The names of the `split` column: those that are known, and those that the user allows."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence

from medst_jax.data_pipelines.listing.csv_table import TableError
from medst_jax.data_pipelines.listing.item import Item
from medst_jax.data_pipelines.listing.splits import SPLITS, split_name

_LONGEST_NAME = 20
_MOST_NAMES = 10


def known_splits(items: Sequence[Item], allowed: Mapping[str, str]) -> list[Item]:
    """The items with their split; `allowed` maps further names to the split they stand for.

    Raises:
      TableError: a split is none of train, val, test and those that `allowed` names.
    """
    named = {split_name(theirs): split_name(ours) for theirs, ours in allowed.items()}
    counts = Counter(item.split for item in items)
    other = sorted(set(counts) - {"", *SPLITS, *named})
    if other:
        raise TableError(_refusal(other, counts))
    return [dataclasses.replace(item, split=named.get(item.split, item.split)) for item in items]


def _refusal(other: Sequence[str], counts: Mapping[str, int]) -> str:
    rows = sum(counts[name] for name in other)
    # A column of other things than splits may hold what no message shall repeat.
    if len(other) > _MOST_NAMES or max(map(len, other)) > _LONGEST_NAME:
        return (
            f"column 'split' has {len(other)} values that are no split, in {rows} rows: it must hold "
            "train, val or test; leave it out with --columns=split= for a split by patient"
        )
    listed = ", ".join(f"{name!r} ({counts[name]} rows)" for name in other)
    mapped = ",".join(f"{name}=test" for name in other)
    return (
        f"column 'split' holds {listed}, which no suite reads: say what it stands for, "
        f"--splits={mapped} (or =train, =val), or --splits={','.join(other)} to keep it as it is"
    )
