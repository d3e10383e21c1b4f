# SPDX-License-Identifier: Apache-2.0
"""Reads JSON files as tables: one object a line, or one value a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from etils import epath

from medst_jax.data_pipelines.bounded_reading import MAX_TEXT_BYTES
from medst_jax.data_pipelines.listing.csv_table import TableError, TableRow
from medst_jax.data_pipelines.raw import Reject
from medst_jax.files import reading
from medst_jax.files.reading import DamagedDataError

# A longer line comes in pieces, which are no JSON objects.
_LONGEST_LINE = 1 << 26


def read_json(path: epath.Path, kind: type) -> Any:
    """The value of a file.

    Raises:
      TableError: not JSON, or not of the type `kind`.
    """
    if epath.Path(path).stat().length > MAX_TEXT_BYTES:
        raise TableError(f"{path} has more than {MAX_TEXT_BYTES >> 20} MiB: split it")
    try:
        return reading.read_json(path, "fetch it again", kind)
    except DamagedDataError as error:
        raise TableError(str(error)) from error


def json_rows(path: epath.Path) -> Iterator[TableRow | Reject]:
    """The objects of a file of JSON lines as rows of a table; null becomes an empty cell."""
    with path.open("rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(_LONGEST_LINE), b""), 1):
            if not line.strip():
                continue
            try:
                values = json.loads(line)
            except (ValueError, RecursionError):
                values = None
            if isinstance(values, dict):
                yield TableRow(number, {name: cell_of(value) for name, value in values.items()})
            else:
                yield Reject(number, "line is not a JSON object")


def cell_of(value: Any) -> str:
    """The text of a JSON value, "" for null: what a table would hold in its place.

    Halves of characters, which JSON can write and UTF-8 cannot, become question marks.
    """
    return "" if value is None else str(value).strip().encode(errors="replace").decode()
