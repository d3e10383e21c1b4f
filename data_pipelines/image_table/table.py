# SPDX-License-Identifier: Apache-2.0
"""Reads `metadata.csv` so that one damaged row costs that row only."""

from __future__ import annotations

import csv
import difflib
from collections.abc import Iterator
from dataclasses import dataclass

from etils import epath

from data_pipelines.raw import Reject

FILE_NAME = "metadata.csv"
REQUIRED = ("image_path", "patient_id")
# A quoted cell may run over lines; a longer run is taken for a quote that was never closed.
_MAX_LINES = 1000


class TableError(ValueError):
    """A table that cannot be used at all; the message names the file and the remedy."""


@dataclass(frozen=True)
class TableRow:
    """Cells by column name, stripped; `line` is the 1-based line of the file."""

    line: int
    cells: dict[str, str]

    def get(self, column: str) -> str:
        """The cell, or "" when the table has no such column."""
        return self.cells.get(column, "")


def read_table(source_dir: epath.PathLike) -> tuple[list[TableRow], list[Reject]]:
    """The rows of `metadata.csv` and the rejects: malformed, or not UTF-8.

    Raises:
      TableError: no such file, no rows, or a required column is missing.
    """
    path = epath.Path(source_dir) / FILE_NAME
    if not path.exists():
        raise TableError(f"{path} does not exist: --source_dir must be a folder with {FILE_NAME}")
    # Undecodable bytes become lone surrogates, which marks their rows instead of ending the read.
    text = path.read_bytes().decode("utf-8-sig", errors="surrogateescape")
    records = _records(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
    header = next(records, (0, None))[1]
    if header is None:
        raise TableError(f"{path} has no readable header line")
    names = [name.strip() for name in header]
    _check_header(path, names)
    rows, rejects = [], []
    for line, cells in records:
        if cells is None:
            rejects.append(Reject(line, "malformed row"))
        elif any("\ud800" <= c <= "\udfff" for cell in cells for c in cell):
            rejects.append(Reject(line, "not UTF-8"))
        else:
            rows.append(TableRow(line, dict(zip(names, map(str.strip, cells), strict=True))))
    return rows, rejects


def _check_header(path: epath.Path, names: list[str]) -> None:
    for column in REQUIRED:
        if column not in names:
            close = difflib.get_close_matches(column, names, n=1)
            hint = f"; did you mean to rename {close[0]!r}?" if close else ""
            raise TableError(
                f"{path}: column {column!r} is missing{hint} It has: {', '.join(names)}"
            )
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise TableError(f"{path}: columns occur twice: {', '.join(repeated)}")


def _records(lines: list[str]) -> Iterator[tuple[int, list[str] | None]]:
    """(line, cells) of each record, the header first; cells None for a malformed one.

    A record that does not come out with the header's number of cells loses its first line only:
    reading goes on at the next, so an unclosed quote does not swallow the rows after it.
    """
    width: int | None = None
    i = 0
    while i < len(lines):
        if not lines[i].strip():
            i += 1
            continue
        cells, used = _record(lines, i, width)
        yield i + 1, cells
        width = width or (len(cells) if cells else None)
        i += used


def _record(lines: list[str], start: int, width: int | None) -> tuple[list[str] | None, int]:
    text = lines[start]
    for used in range(1, min(_MAX_LINES, len(lines) - start) + 1):
        if used > 1:
            text += "\n" + lines[start + used - 1]
        if used > 1 and '"' not in lines[start + used - 1]:
            continue
        try:
            cells = next(csv.reader([text], strict=True))
        except csv.Error:
            if text.count('"') % 2:
                continue
            return None, 1
        return (cells, used) if width in (None, len(cells)) else (None, 1)
    return None, 1
