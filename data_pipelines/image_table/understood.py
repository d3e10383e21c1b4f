# SPDX-License-Identifier: Apache-2.0
"""What was understood of a table, in lines for its owner: columns, views, ids, labels."""

from __future__ import annotations

from medst_jax.data_pipelines import cells
from medst_jax.data_pipelines.image_table import column_names
from medst_jax.data_pipelines.image_table.columns import ReadRows
from medst_jax.data_pipelines.image_table.label_lists import UnlistedLabels
from medst_jax.data_pipelines.image_table.options import TableOptions
from medst_jax.data_pipelines.image_table.table import read_columns, unread_columns
from medst_jax.data_pipelines.listing.csv_table import TableRow
from medst_jax.data_pipelines.listing.table_text import DELIMITERS, WINDOWS_1252

_CODES = {"1", "0", "-1", "1.0", "0.0", "-1.0", ""}


def table_lines(rows: ReadRows, options: TableOptions) -> list[str]:
    """The file, the columns that are read and those that are not, and what was perhaps meant."""
    table = rows.table
    read, unread = read_columns(table, options), unread_columns(table, options)
    delimiter = DELIMITERS.get(table.delimiter, repr(table.delimiter))
    lines = [f"table: {table.path.name}, {table.encoding_found}, {delimiter} between cells"]
    if table.encoding_found == WINDOWS_1252:
        lines.append(
            "  it is not UTF-8: if letters with accents come out wrong, name --table_encoding=..."
        )
    own = {ours: theirs for ours, theirs in options.columns.items() if theirs and ours in read}
    shown = [f"{name} (from {own[name]})" if name in own else name for name in read]
    lines.append(f"read: {column_names.enumerated([*shown, *options.label_columns])}")
    if unread:
        lines.append(f"not read: {column_names.enumerated(column_names.own_first(unread))}")
    if meant := column_names.suggestions(unread, read):
        lines.append(f"  did you mean {column_names.as_flag(meant)}")
    if columns := _looks_labelled(rows, unread):
        flag = f"--label_columns={','.join(columns)}"
        lines.append("  labels? " + (flag if " " not in flag else f'"{flag}"'))
    return lines


def row_lines(rows: ReadRows) -> list[str]:
    """What was read otherwise than it is written."""
    lines = []
    if other := [(words, n) for (words, stored), n in rows.views.items() if stored == "other"]:
        count = sum(n for _, n in other)
        first = next(item.row for item in rows.items if item.view == "other")
        lines.append(f"view: {count} rows of no known projection count as 'other' (line {first})")
    if rows.float_ids:
        lines.append(f"ids: {rows.float_ids} cells such as 231.0 are read as 231")
    if rows.folder.absolute:
        lines.append(f"paths: {rows.folder.absolute} absolute ones lie in the folder")
    if rows.folder.reports:
        lines.append(f"reports: {rows.folder.reports} cells name a file, whose text is the report")
    return lines


def list_lines(rows: ReadRows, unlisted: UnlistedLabels) -> list[str]:
    """What an unlisted label means."""
    if not any(item.labels for item in rows.items):
        return []
    if not unlisted.meaning:
        return [f"unlisted labels: none ({unlisted.why})"]
    other = "unknown" if unlisted.meaning == "negative" else "negative"
    words = {"negative": "absent (negative)", "unknown": "unknown"}[unlisted.meaning]
    return [f"unlisted labels: {words}, {unlisted.why}; --unlisted={other} for the other meaning"]


def _looks_labelled(rows: ReadRows, unread: tuple[str, ...]) -> list[str]:
    """Columns that hold nothing but 1, 0 and -1, with a 1 among them."""
    seen: dict[str, set[str]] = {name: set() for name in unread}
    for row in rows.table.rows():
        if isinstance(row, TableRow):
            for name, values in seen.items():
                values.add(cells.known(row.get(name)))
    return [name for name, values in seen.items() if values <= _CODES and values & {"1", "1.0"}]
