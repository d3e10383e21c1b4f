# SPDX-License-Identifier: Apache-2.0
"""Meaning of the cells of tables: numbers, ages, sexes, views."""

from __future__ import annotations

import math
import re
from datetime import date

from medst_jax.data.records import schema

_LATERAL = frozenset(
    [
        "LATERAL",
        "LAT",
        "L",
        "RL",
        "LEFT_LATERAL",
        "RIGHT_LATERAL",
        "LARGE_LATERAL",
        "XTABLE_LATERAL",
    ]
)
_DIRECTIONS = {"POSTEROANTERIOR": "PA", "ANTEROPOSTERIOR": "AP"}
_SPELT = {"POSTERO_ANTERIOR": "PA", "ANTERO_POSTERIOR": "AP"}


class CellError(ValueError):
    """A cell that makes its row unusable; the message is a reason without its content."""


def view(name: str, kind: str = "") -> str:
    """One of `schema.VIEWS`.

    Args:
      name: the projection as the source names it, empty when unknown.
      kind: frontal, lateral or empty, which decides when the name does not.
    """
    word = re.sub(r"[^A-Z]+", "_", name.upper()).strip("_")
    word = _SPELT.get(word, word)
    if word in ("LL", "PA", "AP"):
        return word
    if word in _LATERAL or kind.lower() == "lateral":
        return "LATERAL"
    for part in word.split("_"):
        direction = _DIRECTIONS.get(part, part)
        if direction in schema.FRONTAL_VIEWS:
            return direction
    # A frontal image of unknown direction counts as PA, the usual one.
    return "PA" if kind.lower() == "frontal" or (not word and not kind) else "other"


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


def needed(cell: str, column: str) -> str:
    """The cell; raises CellError when it is empty."""
    if not cell:
        raise CellError(f"{column} is empty")
    return cell


def file_stem(cell: str, column: str) -> str:
    """The cell, which names a file: letters, digits, dots, dashes and underscores."""
    if not re.fullmatch(r"\w[\w.-]*", cell, re.ASCII):
        raise CellError(f"{column} is not the name of a file")
    return cell


def digits(cell: str, column: str) -> str:
    """The cell, a whole number; a trailing `.0` is dropped."""
    word = re.sub(r"\.0*$", "", cell)
    if not re.fullmatch(r"\d+", word, re.ASCII):
        raise CellError(f"{column} is not a whole number")
    return word


def one_of(cell: str, allowed: tuple[str, ...], column: str) -> str:
    """The cell; raises CellError when it is none of the allowed words."""
    if cell not in allowed:
        raise CellError(f"{column} is not one of {', '.join(allowed)}")
    return cell


def flag(cell: str, column: str) -> int:
    """1 or 0 from cells such as 1, 0, 1.0."""
    value = number(needed(cell, column), column)
    if value not in (0, 1):
        raise CellError(f"{column} is not 0 or 1")
    return int(value)


def day(cell: str, column: str) -> float:
    """Days since year 1 of a date YYYYMMDD or YYYY-MM-DD; NaN for an empty cell."""
    if not cell:
        return math.nan
    digits = re.sub(r"\.0*$", "", cell).replace("-", "")
    try:
        if not re.fullmatch(r"\d{8}", digits):
            raise ValueError("not eight digits")
        return float(date(int(digits[:4]), int(digits[4:6]), int(digits[6:])).toordinal())
    except ValueError as error:
        raise CellError(f"{column} is not a date") from error


def time_of_day(cell: str, column: str) -> float:
    """Fraction of a day of a time HHMMSS[.fff] whose leading zeros may be lost."""
    if not cell:
        return 0.0
    whole, _, fraction = cell.partition(".")
    digits = whole.zfill(6)
    if not re.fullmatch(r"\d{6}", digits) or not re.fullmatch(r"\d*", fraction):
        raise CellError(f"{column} is not a time")
    hours, minutes, seconds = int(digits[:2]), int(digits[2:4]), int(digits[4:])
    if hours > 23 or minutes > 59 or seconds > 60:
        raise CellError(f"{column} is not a time")
    return (hours * 3600 + minutes * 60 + seconds + float(f"0.{fraction or 0}")) / 86400


def age(cell: str) -> float:
    """Years from cells such as 58, 58.0, 58Y, 058Y or 011M; NaN when there is no number."""
    match = re.match(r"(\d+(?:\.\d+)?)\s*([YMWD]?)", cell, re.IGNORECASE)
    if match is None:
        return math.nan
    per_year = {"M": 12, "W": 52.18, "D": 365.25}
    return float(match[1]) / per_year.get(match[2].upper(), 1)


def sex(cell: str) -> str:
    """M, F or empty."""
    return cell[:1].upper() if cell[:1].upper() in ("M", "F") else ""
