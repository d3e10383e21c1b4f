# SPDX-License-Identifier: Apache-2.0
"""The union vocabulary of data sets that annotate different findings."""

from collections.abc import Iterable, Sequence

import numpy as np

from medst_jax.data.records.schema import (
    BLANK,
    CONTRADICTED,
    NEGATIVE,
    OUTSIDE,
    POSITIVE,
    UNCERTAIN,
)


def label_key(name: str) -> str:
    """What two spellings of one class have in common: letter case and spacing do not count.

    >>> label_key("Pleural  Effusion") == label_key("pleural effusion")
    True
    """
    return " ".join(name.casefold().split())


def union_labels(
    label_sets: Iterable[Sequence[str]], dropped: Sequence[str] = ()
) -> tuple[str, ...]:
    """Classes of all data sets in order of first appearance, in their first spelling.

    Args:
      label_sets: the vocabulary of each data set, in the order of the mixture.
      dropped: classes left out of the union.

    Raises:
      ValueError: a dropped class is in no vocabulary.
    """
    names: dict[str, str] = {}
    for labels in label_sets:
        for name in labels:
            names.setdefault(label_key(name), name)
    for name in dropped:
        if names.pop(label_key(name), None) is None:
            raise ValueError(
                f"config.data.drop_labels names {name!r}, which no data set of the mixture has; "
                f"they have: {', '.join(names.values()) or 'no labels'}"
            )
    return tuple(names.values())


def union_columns(labels: Sequence[str], union: Sequence[str]) -> np.ndarray:
    """For each class of the union its column in `labels`, -1 where the data set lacks it."""
    column = {label_key(name): i for i, name in enumerate(labels)}
    return np.array([column.get(label_key(name), -1) for name in union], np.int32)


def to_union(codes: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Codes int8 [..., C of the data set] in the union's order, `OUTSIDE` where it has no column."""
    if not codes.shape[-1]:  # a data set without labels, of which nothing can be taken
        return np.full((*codes.shape[:-1], len(columns)), OUTSIDE, np.int8)
    return np.where(columns < 0, np.int8(OUTSIDE), codes.take(columns, axis=-1, mode="clip"))


# By code + 4: what a mention outweighs; and the codes in that order.
_RANK = np.array([5, 0, 1, 3, 2, 4], np.int8)
_RANKED = np.array([OUTSIDE, BLANK, NEGATIVE, UNCERTAIN, POSITIVE, CONTRADICTED], np.int8)


def merge_codes(codes: np.ndarray) -> np.ndarray:
    """Codes of several sentences [K, C] as those of one text [C].

    A positive mention outweighs an uncertain one, that a negative one, that silence.
    """
    return merge_runs(codes, np.array([0]))[0]


def merge_runs(codes: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """`merge_codes` of each run of sentences that begins at one of `starts` [B], int8 [B, C]."""
    return _RANKED.take(np.maximum.reduceat(_RANK.take(codes + 4), starts, axis=0))
