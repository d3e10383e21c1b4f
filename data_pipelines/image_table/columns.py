# SPDX-License-Identifier: Apache-2.0
"""Meaning of the table's cells: views, labels, splits, days, ages."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence

from medst_jax.data import schema

_LATERAL = frozenset(
    ["LATERAL", "LAT", "L", "LEFT_LATERAL", "RIGHT_LATERAL", "RL", "XTABLE_LATERAL"]
)
_SPLITS = {"training": "train", "valid": "val", "validation": "val", "dev": "val"}
_PREFIXES = {"-": schema.NEGATIVE, "?": schema.UNCERTAIN}
_HASHED_SPLITS = ((80, "train"), (90, "val"), (100, "test"))


class CellError(ValueError):
    """A cell that makes its row unusable; the message is a reason without its content."""


def view(name: str, kind: str) -> str:
    """One of `schema.VIEWS` from the columns view and view_type."""
    word = re.sub(r"[^A-Z]+", "_", name.upper()).strip("_")
    if word in ("LL", "PA", "AP"):
        return word
    if word in _LATERAL or kind.lower() == "lateral":
        return "LATERAL"
    for direction in schema.FRONTAL_VIEWS:
        if direction in word.split("_"):
            return direction
    # A frontal image of unknown direction counts as PA, the usual one.
    return "PA" if kind.lower() == "frontal" or (not word and not kind) else "other"


def parse_labels(cell: str) -> dict[str, int]:
    """Codes of the labels a cell lists: `a|-b|?c` -> a 1, b 0, c -1."""
    found = {}
    for item in filter(None, map(str.strip, cell.split("|"))):
        code = _PREFIXES.get(item[0], schema.POSITIVE)
        label = item[1:].strip() if item[0] in _PREFIXES else item
        if not label:
            raise CellError("malformed labels")
        found[label] = code
    return found


def complete_labels(found: dict[str, int], vocabulary: Sequence[str]) -> dict[str, int]:
    """Adds the vocabulary's unlisted labels as negative, if the cell listed any.

    Raises:
      CellError: a label outside the vocabulary.
    """
    if not found:
        return {}
    if not set(found) <= set(vocabulary):
        raise CellError("label outside the vocabulary")
    return {label: found.get(label, schema.NEGATIVE) for label in vocabulary}


def number(cell: str, column: str) -> float:
    """A finite number, NaN for an empty cell."""
    if not cell:
        return math.nan
    try:
        value = float(cell)
    except ValueError as error:
        raise CellError(f"{column} is not a number") from error
    if not math.isfinite(value):
        raise CellError(f"{column} is not a number")
    return value


def age(cell: str) -> float:
    """Years from cells such as 58, 58.0, 58Y or 058Y; NaN when there is no number."""
    match = re.match(r"\d+(?:\.\d+)?", cell)
    return float(match[0]) if match else math.nan


def split_name(cell: str) -> str:
    """TFDS name of a split: "Validation" -> "val"."""
    word = re.sub(r"[^a-z0-9]+", "_", cell.lower()).strip("_")
    return _SPLITS.get(word, word)


def hashed_split(patient_id: str) -> str:
    """The split of a patient the table gives none: 80% train, 10% val, 10% test."""
    digest = hashlib.sha256(f"split of patient {patient_id}".encode()).digest()
    place = int.from_bytes(digest[:8], "big") % 100
    return next(split for limit, split in _HASHED_SPLITS if place < limit)


def sex(cell: str) -> str:
    """M, F or empty."""
    return cell[:1].upper() if cell[:1].upper() in ("M", "F") else ""
