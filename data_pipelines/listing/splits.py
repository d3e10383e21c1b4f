# SPDX-License-Identifier: Apache-2.0
"""Splits by patient: by hash, or by the published recipe of a data set."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence

SPLITS = ("train", "val", "test")
_NAMES = {
    **dict.fromkeys(("training", "trn"), "train"),
    **dict.fromkeys(("valid", "validate", "validation", "dev", "development"), "val"),
    **dict.fromkeys(("testing", "tst"), "test"),
}
_HASHED_SPLITS = ((80, "train"), (90, "val"), (100, "test"))
_VALIDATION_PERCENT = 10


def split_name(cell: str) -> str:
    """TFDS name of a split: "Validation" -> "val"."""
    word = re.sub(r"[^a-z0-9]+", "_", cell.lower()).strip("_").removesuffix("_set")
    return _NAMES.get(word, word)


def hashed_split(patient_id: str) -> str:
    """The split of a patient the source gives none: 80% train, 10% val, 10% test."""
    place = _place("split of patient", patient_id)
    return next(split for limit, split in _HASHED_SPLITS if place < limit)


def hold_out(patient_id: str) -> str:
    """train, or val for 10% of the patients, where the source separates the test patients only."""
    return "val" if _place("validation of patient", patient_id) < _VALIDATION_PERCENT else "train"


def _place(purpose: str, patient_id: str) -> int:
    digest = hashlib.sha256(f"{purpose} {patient_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % 100


def seventy_fifteen_fifteen(ids: Iterable[str]) -> dict[str, str]:
    """Split of each id by the recipe of GLoRIA and MGCA: 70% train, 15% val, 15% test.

    The ids in ascending order go through scikit-learn's `train_test_split` twice, both times with
    `random_state=0`: 30% are set aside, of which the first half is test and the second val.
    """
    from sklearn.model_selection import train_test_split

    ordered = sorted(set(ids))
    if len(ordered) < 4:
        return dict.fromkeys(ordered, "train")
    train, rest = train_test_split(ordered, test_size=0.3, random_state=0)
    test, val = train_test_split(rest, test_size=0.5, random_state=0)
    parts: Sequence[tuple[str, Sequence[str]]] = (("train", train), ("val", val), ("test", test))
    return {name: split for split, members in parts for name in members}
