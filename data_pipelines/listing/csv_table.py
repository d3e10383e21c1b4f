# SPDX-License-Identifier: Apache-2.0
"""Reads a CSV file so that one damaged row costs that row only."""

from __future__ import annotations

import csv
import difflib
import gzip
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from etils import epath

from medst_jax.data_pipelines.bounded_reading import MAX_TEXT_BYTES, TooLong, unpack
from medst_jax.data_pipelines.cells import CellError
from medst_jax.data_pipelines.listing import table_text
from medst_jax.data_pipelines.raw import Reject

# A quoted cell may run over lines; a longer run is taken for a quote that was never closed.
_MAX_LINES = 1000
# The widest real tables have some hundred columns.
_MAX_COLUMNS = 5000
_COLUMNS_SHOWN = 100
# Undecodable bytes are read as lone surrogates, which mark their rows.
_UNDECODED = re.compile("[\ud800-\udfff]")

Parsed = TypeVar("Parsed")


class TableError(ValueError):
    """A table that cannot be used at all; the message names the file and the remedy."""


@dataclass(frozen=True, slots=True)
class TableRow:
    """Cells by column name, stripped; `line` is the 1-based line of the file."""

    line: int
    cells: dict[str, str]

    def get(self, column: str) -> str:
        """The cell, or "" when the table has no such column."""
        return self.cells.get(column, "")


def find_table(source_dir: epath.PathLike, *names: str) -> epath.Path | None:
    """The first of the files `names` in a folder, plain or with `.gz`; None without any."""
    for name in names:
        for candidate in (name, name + ".gz"):
            path = epath.Path(source_dir) / candidate
            if path.exists():
                return path
    return None


def need_table(source_dir: epath.PathLike, *names: str) -> epath.Path:
    """As `find_table`; raises TableError without any."""
    path = find_table(source_dir, *names)
    if path is None:
        raise TableError(
            f"{epath.Path(source_dir) / names[0]} does not exist: --source_dir must be a folder "
            f"with {' or '.join(names)} (or the same with .gz)"
        )
    return path


@dataclass(frozen=True)
class CsvTable:
    """A file of cells with a header line, plain or gzipped; encoding and delimiter are found.

    Names and cells lose surrounding blanks. Unnamed columns are not read.

    encoding: as Python names it, empty to find it; see `table_text.decode`, also for `western`.
    renamed: the table's own name of a column by the name it is read under.
    """

    path: epath.Path
    encoding: str = ""
    western: bool = False
    renamed: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Column names in their order.

        Raises:
          TableError: no readable header, or a name that occurs twice.
        """
        header = next(self._records(), (0, None))[1]
        if header is None:
            raise TableError(f"{self.path} has no readable header line")
        own = tuple(name.strip() for name in header)
        read_as = {theirs: name for name, theirs in self.renamed.items()}
        names = tuple(read_as.get(name, name) for name in own)
        if len(names) > _MAX_COLUMNS:
            raise TableError(f"{self.path} has {len(names)} columns: it is not a table of images")
        repeated = sorted(name for name, count in Counter(names).items() if name and count > 1)
        if repeated:
            raise TableError(f"{self.path}: columns occur twice: {', '.join(repeated)}")
        return names

    def need(self, *columns: str) -> CsvTable:
        """This table; raises TableError when it lacks one of the columns."""
        for column in columns:
            if column not in self.names:
                close = difflib.get_close_matches(column, self.names, n=1)
                hint = f"; did you mean to rename {close[0]!r}?" if close else ""
                raise TableError(
                    f"{self.path}: column {column!r} is missing{hint} "
                    f"It has: {', '.join([*filter(None, self.names)][:_COLUMNS_SHOWN])}"
                )
        return self

    def rows(self) -> Iterator[TableRow | Reject]:
        """The rows; a malformed one, or one that is not UTF-8, comes as a Reject."""
        names = self.names
        records = self._records()
        next(records)
        for line, cells in records:
            if cells is None:
                yield Reject(line, "malformed row")
            elif any(map(_UNDECODED.search, cells)):
                yield Reject(line, "not UTF-8")
            else:
                pairs = zip(names, cells, strict=True)
                yield TableRow(line, {name: cell.strip() for name, cell in pairs if name})

    def parse(
        self, row_parser: Callable[[TableRow], Parsed], unique: str = ""
    ) -> tuple[list[Parsed], list[Reject]]:
        """As `parse_rows`, of all rows."""
        return parse_rows(self.rows(), row_parser, unique)

    @property
    def delimiter(self) -> str:
        """The character between cells."""
        return self._layout[0]

    @property
    def encoding_found(self) -> str:
        """The file's encoding in words."""
        return self._text[1]

    def _records(self) -> Iterator[tuple[int, list[str] | None]]:
        delimiter, before = self._layout
        return _records(self._lines, delimiter, before)

    @cached_property
    def _layout(self) -> tuple[str, int]:
        return table_text.find_delimiter(self._lines)

    @cached_property
    def _lines(self) -> Sequence[str]:
        return self._text[0].replace("\r\n", "\n").replace("\r", "\n").split("\n")

    @cached_property
    def _text(self) -> tuple[str, str]:
        return read_text(self.path, self.encoding, western=self.western)


def read_text(path: epath.Path, encoding: str = "", *, western: bool = False) -> tuple[str, str]:
    """The text of a file, plain or gzipped, and its encoding in words, as `table_text.decode` finds it.

    Raises:
      TableError: too long, not a whole gzip file, or not of its encoding.
    """
    try:
        if epath.Path(path).stat().length > MAX_TEXT_BYTES:
            raise TooLong(f"has more than {MAX_TEXT_BYTES >> 20} MiB")
        data = path.read_bytes()
        if path.suffix == ".gz":
            data = unpack(data)
    except TooLong as error:
        raise TableError(f"{path} {error}, more than a table has: split it") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise TableError(f"{path} is not a whole gzip file: download it again") from error
    try:
        return table_text.decode(data, encoding, western=western)
    except table_text.EncodingError as error:
        raise TableError(
            f"{path}: {error}: save the table as UTF-8, or name its encoding"
        ) from error


def read_lines(path: epath.Path, encoding: str = "", *, western: bool = False) -> list[str]:
    """The lines of a text file without surrounding blanks; empty ones are among them.

    Raises:
      TableError: as `read_text`, and where a line is not of the encoding.
    """
    lines = read_text(path, encoding, western=western)[0].splitlines()
    for number, line in enumerate(lines, 1):
        if _UNDECODED.search(line) or "\0" in line:
            raise TableError(f"{path}, line {number} is not UTF-8 text: save the file as UTF-8")
    return [line.strip() for line in lines]


def parse_rows(
    rows: Iterable[TableRow | Reject], row_parser: Callable[[TableRow], Parsed], unique: str = ""
) -> tuple[list[Parsed], list[Reject]]:
    """Parsed rows, and the rejects: those of the table and those of `row_parser`.

    Args:
      rows: of a table.
      row_parser: raises CellError to reject its row.
      unique: a column whose cell may name an accepted row once only; empty for none.
    """
    parsed, rejects = [], []
    seen: set[str] = set()
    for row in rows:
        if isinstance(row, Reject):
            rejects.append(row)
            continue
        try:
            if unique and row.get(unique) in seen:
                raise CellError(f"{unique} occurs twice")
            parsed.append(row_parser(row))
            seen.add(row.get(unique))
        except CellError as error:
            rejects.append(Reject(row.line, str(error)))
    return parsed, rejects


def _records(
    lines: Sequence[str], delimiter: str, before: int
) -> Iterator[tuple[int, list[str] | None]]:
    """(line, cells) of each record, the header first; cells None for a malformed one.

    A record that does not come out with the header's number of cells loses its first line only:
    reading goes on at the next, so an unclosed quote does not swallow the rows after it.
    """
    width: int | None = None
    i = before
    while i < len(lines):
        if not lines[i].strip():
            i += 1
            continue
        cells, used = _record(lines, i, delimiter)
        if width is None:
            # NIH's header of boxes ends in commas that its rows lack.
            while cells and not cells[-1].strip():
                cells.pop()
            width = len(cells) if cells else None
        elif cells is not None:
            cells = _fit(cells, width)
            used = used if cells else 1
        yield i + 1, cells
        i += used


def _fit(cells: list[str], width: int) -> list[str] | None:
    """The cells without excess empty ones at the end; None when their number is wrong."""
    if any(cell.strip() for cell in cells[width:]) or len(cells) < width:
        return None
    return cells[:width]


def _record(lines: Sequence[str], start: int, delimiter: str) -> tuple[list[str] | None, int]:
    text = lines[start]
    if '"' not in text:
        return text.split(delimiter), 1
    quotes = 0
    for used in range(1, min(_MAX_LINES, len(lines) - start) + 1):
        quotes += lines[start + used - 1].count('"')
        if quotes % 2:
            continue
        text = "\n".join(lines[start : start + used])
        try:
            return next(
                csv.reader([text], delimiter=delimiter, strict=True, skipinitialspace=True)
            ), used
        except csv.Error:
            return None, 1
    return None, 1
