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
_DIRECTIONS = {
    "POSTEROANTERIOR": "PA",
    "ANTEROPOSTERIOR": "AP",
    # A patient who cannot stand is turned to the tube.
    **dict.fromkeys(("PORTABLE", "SUPINE", "BEDSIDE"), "AP"),
}
_SPELT = {
    **dict.fromkeys(("POSTERO_ANTERIOR", "POSTERIOR_ANTERIOR", "P_A"), "PA"),
    **dict.fromkeys(("ANTERO_POSTERIOR", "ANTERIOR_POSTERIOR", "A_P"), "AP"),
}
_SIDE_PARTS = frozenset(
    ["LATERAL", "LAT", "LATERALS", "LL", "RL", "LLAT", "RLAT", "SIDE", "PROFILE"]
)
_FRONT_PARTS = frozenset(["FRONTAL", "FRONT"])
# What tables write for a cell without a value, beside nothing.
_MISSING = frozenset(
    [
        "na",
        "n/a",
        "n.a.",
        "#n/a",
        "<na>",
        "nan",
        "nat",
        "none",
        "null",
        "(null)",
        "nil",
        "unknown",
        "unk",
        "missing",
        "?",
        ".",
        "-",
        "--",
        "---",
    ]
    + ["not available", "not applicable", "not known"]
)
_OLDEST = 120


class CellError(ValueError):
    """A cell that makes its row unusable; the message is a reason without its content."""


def known(cell: str) -> str:
    """The cell, or "" when it is a word for a missing value: NA, nan, None, null, -, unknown, ..."""
    return "" if cell.strip().casefold() in _MISSING else cell


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
    parts, kinds = word.split("_"), re.findall("[A-Z]+", kind.upper())
    if word in _LATERAL or _SIDE_PARTS & {*kinds}:
        return "LATERAL"
    named = (_DIRECTIONS.get(part, part) for part in parts)
    direction = next((part for part in named if part in schema.FRONTAL_VIEWS), "")
    # A decubitus image is taken from the front, of a patient who lies on the side.
    sideways = _SIDE_PARTS & {*parts} and "DECUBITUS" not in parts
    if sideways and not (direction and _FRONT_PARTS & {*kinds}):
        # "PA and lateral" is of an examination: it does not say which of the two the image is.
        return "other" if direction else "LATERAL"
    if direction:
        return direction
    # A frontal image of unknown direction counts as PA, the usual one.
    frontal = _FRONT_PARTS & {*parts, *kinds} or (not word and not kind)
    return "PA" if frontal else "other"


def number(cell: str, column: str) -> float:
    """A finite number, NaN for a cell without a value."""
    if not known(cell):
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
    """Days since year 1 of a date YYYYMMDD or YYYY-MM-DD; NaN for a cell without a value."""
    if not known(cell):
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
    if not known(cell):
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
    """Years from cells such as 58, 58.0, 58Y, 058Y or 011M; NaN when nobody has that age."""
    match = re.match(r"(\d+(?:\.\d+)?)\s*([YMWD]?)", cell, re.IGNORECASE)
    if match is None:
        return math.nan
    per_year = {"M": 12, "W": 52.18, "D": 365.25}
    return possible_age(float(match[1]) / per_year.get(match[2].upper(), 1))


def possible_age(years: float) -> float:
    """The age, NaN when nobody has it: tables hold 411 and 999, and births after the image."""
    return years if 0 <= years <= _OLDEST else math.nan


def language(cell: str) -> str:
    """ISO 639-1 code in lower case: en for en-US, English or nothing."""
    word = cell.strip().lower()
    english = word in ("", "english", "eng") or re.match(r"en[-_]", word)
    return "en" if english else word


def sex(cell: str) -> str:
    """M, F or empty."""
    return cell[:1].upper() if cell[:1].upper() in ("M", "F") else ""
