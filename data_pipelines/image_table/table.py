# SPDX-License-Identifier: Apache-2.0
"""Opens `metadata.csv` and finds the columns that are read."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from etils import epath

from medst_jax.data_pipelines.image_table import column_names
from medst_jax.data_pipelines.image_table.options import TableOptions
from medst_jax.data_pipelines.listing.csv_table import CsvTable, TableError, find_table

FILE_NAME = "metadata.csv"
_OTHER_TABLES = (".csv", ".tsv", ".txt", ".xlsx", ".xls")


def open_table(source_dir: epath.PathLike, options: TableOptions | None = None) -> CsvTable:
    """The table of a folder, its columns under their documented names.

    Raises:
      TableError: no such file, no header, a required column is missing, or `options` names a
        column that the table does not have.
    """
    options = options or TableOptions()
    path = find_table(source_dir, FILE_NAME)
    if path is None:
        raise TableError(
            f"{epath.Path(source_dir) / FILE_NAME} does not exist: --source_dir must be a folder "
            f"with {FILE_NAME}{_beside(epath.Path(source_dir))}"
        )
    renamed = {ours: theirs for ours, theirs in options.columns.items() if theirs}
    table = CsvTable(path, options.encoding, western=not options.encoding, renamed=renamed)
    plain = CsvTable(path, options.encoding, western=not options.encoding)
    for name in (*renamed.values(), *options.label_columns):
        if name not in plain.names:
            raise TableError(f"{path}: there is no column {name!r}{_instead(name, plain.names)}")
    both = [ours for ours, theirs in renamed.items() if theirs != ours and ours in plain.names]
    if both:
        raise TableError(
            f"{path}: --columns takes {both[0]!r} from {renamed[both[0]]!r}, but the table has "
            f"{both[0]!r} itself: rename one of the two in the table"
        )
    missing = [name for name in column_names.REQUIRED if name not in table.names]
    if missing:
        meant = column_names.suggestions(table.names, table.names)
        hint = f"; did you mean {column_names.as_flag(meant)}?" if meant else ";"
        raise TableError(
            f"{path}: column {missing[0]!r} is missing{hint} "
            f"It has: {column_names.enumerated(list(filter(None, table.names)))}"
        )
    return table


def read_columns(table: CsvTable, options: TableOptions) -> tuple[str, ...]:
    """The documented columns that the table has and that are read, in documented order.

    Label columns take the place of `labels`.
    """
    left_out = {ours for ours, theirs in options.columns.items() if not theirs}
    if options.label_columns:
        left_out.add("labels")
    return tuple(c for c in column_names.COLUMNS if c in table.names and c not in left_out)


def unread_columns(table: CsvTable, options: TableOptions) -> tuple[str, ...]:
    """The table's columns that are not read, under its own names."""
    read = {*read_columns(table, options), *options.label_columns}
    own = {ours: theirs for ours, theirs in options.columns.items() if theirs}
    return tuple(own.get(name, name) for name in table.names if name and name not in read)


def _instead(name: str, names: Iterable[str]) -> str:
    names = list(filter(None, names))
    close = difflib.get_close_matches(name, names, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ";"
    return f"{hint} It has: {column_names.enumerated(names)}"


def _beside(folder: epath.Path) -> str:
    """The tables of other names in the folder, of which one is perhaps meant."""
    if not folder.is_dir():
        return ""
    others = sorted(f.name for f in folder.iterdir() if f.suffix.lower() in _OTHER_TABLES)
    if not others:
        return ""
    return f" (there is {column_names.enumerated(others)}: give the table that name, as CSV)"
