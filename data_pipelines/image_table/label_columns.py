# SPDX-License-Identifier: Apache-2.0
"""Label columns: one class each, cells 1, 0, -1 or without a value."""

from __future__ import annotations

from collections.abc import Sequence

from medst_jax.data.records import schema
from medst_jax.data_pipelines import cells
from medst_jax.data_pipelines.cells import CellError
from medst_jax.data_pipelines.image_table.options import Blank
from medst_jax.data_pipelines.listing.csv_table import TableRow

_CODES = {1.0: schema.POSITIVE, 0.0: schema.NEGATIVE, -1.0: schema.UNCERTAIN}
_WORDS = {"true": schema.POSITIVE, "false": schema.NEGATIVE}


def codes(row: TableRow, columns: Sequence[str], blank: Blank) -> dict[str, int]:
    """The row's codes by class; of a row without any value, with blank "unknown", none.

    Raises:
      CellError: a cell that is none of 1, 0, -1, true, false and blank.
    """
    by_column = {column: _code(row.get(column), column) for column in columns}
    if blank == "unknown" and set(by_column.values()) == {schema.BLANK}:
        return {}
    other = schema.OUTSIDE if blank == "unknown" else schema.BLANK
    return {column: other if code == schema.BLANK else code for column, code in by_column.items()}


def _code(cell: str, column: str) -> int:
    if not cells.known(cell):
        return schema.BLANK
    if cell.lower() in _WORDS:
        return _WORDS[cell.lower()]
    try:
        return _CODES[float(cell)]
    except (ValueError, KeyError) as error:
        raise CellError(f"{column} is none of 1, 0, -1 and blank") from error
