# SPDX-License-Identifier: Apache-2.0
"""Rows of `metadata.csv` to items."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from medst_jax.data_pipelines import cells
from medst_jax.data_pipelines.cells import CellError
from medst_jax.data_pipelines.image_table import label_columns
from medst_jax.data_pipelines.image_table.days import day_reader
from medst_jax.data_pipelines.image_table.files import Folder
from medst_jax.data_pipelines.image_table.label_lists import parse_labels
from medst_jax.data_pipelines.image_table.options import TableOptions
from medst_jax.data_pipelines.image_table.table import open_table, read_columns
from medst_jax.data_pipelines.listing.csv_table import CsvTable, TableRow, parse_rows
from medst_jax.data_pipelines.listing.item import Item
from medst_jax.data_pipelines.listing.splits import split_name
from medst_jax.data_pipelines.raw import Reject

_FLOAT_ID = re.compile(r"(\d+)\.0*")
_DECIMAL_COMMA = re.compile(r"([-+]?\d+),(\d+)")
_NUMBERS = ("patient_id", "study_id", "image_id", "study_order", "day_offset", "age")
_ROUNDED_ID = re.compile(r"\d(\.\d+)?E\+\d+")


@dataclass
class ReadRows:
    """A table as read.

    Attributes:
      table: whose rows they are.
      items: with the codes of the labels that each row lists, and the split as the table names it.
      rejects: the other rows.
      licences: that rows name.
      views: rows by the words of view and view_type, and the stored view of those words.
      float_ids: cells such as 231.0 that stand for the id 231.
      folder: counts what cells named.
    """

    table: CsvTable
    folder: Folder
    items: list[Item] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    licences: list[str] = field(default_factory=list)
    views: Counter[tuple[str, str]] = field(default_factory=Counter)
    float_ids: int = 0

    @property
    def rows(self) -> int:
        return len(self.items) + len(self.rejects)


def read_rows(
    source_dir: str, options: TableOptions, fixed: Sequence[str] | None = None
) -> ReadRows:
    """The rows of a folder's table; `fixed` is the vocabulary, if there is one.

    Raises:
      TableError: a table or a column that cannot be used as a whole.
    """
    table = open_table(source_dir, options)
    read = ReadRows(table, Folder(source_dir))
    used = set(read_columns(table, options))
    rows = list(table.rows())
    if table.delimiter != ",":
        rows = [_with_points(row, {*_NUMBERS, *options.label_columns}) for row in rows]
    whole = [row for row in rows if isinstance(row, TableRow)]
    days = day_reader(whole if "day_offset" in used else (), options.dates)
    seen: set[str] = set()
    licences: set[str] = set()

    def parse(row: TableRow) -> Item:
        given = {name: cells.known(cell) for name, cell in row.cells.items() if name in used}
        known = TableRow(row.line, given)
        day = days(known.get("day_offset"))
        labels = (
            label_columns.codes(row, options.label_columns, options.blank)
            if options.label_columns
            else parse_labels(known.get("labels"))
        )
        if fixed is not None and not set(labels) <= set(fixed):
            raise CellError("label outside the vocabulary")
        item = _item(known, read, day, labels)
        if item.image_id in seen:
            raise CellError("image_id occurs twice")
        seen.add(item.image_id)
        licences.add(known.get("license"))
        read.views[known.get("view") or known.get("view_type"), item.view] += 1
        return item

    read.items, read.rejects = parse_rows(rows, parse)
    read.licences = sorted(licences - {""})
    return read


def _with_points(row: TableRow | Reject, columns: Collection[str]) -> TableRow | Reject:
    """The row with decimal points; where cells part otherwise, a comma is the decimal sign."""
    if isinstance(row, Reject):
        return row
    changed = {
        name: f"{match[1]}.{match[2]}"
        for name, cell in row.cells.items()
        if name in columns and (match := _DECIMAL_COMMA.fullmatch(cell))
    }
    return TableRow(row.line, {**row.cells, **changed})


def _item(row: TableRow, read: ReadRows, day: float, labels: dict[str, int]) -> Item:
    path = read.folder.relative(row.get("image_path"))
    report, report_path = read.folder.report(row.get("report"))
    patient = cells.needed(_id(row, "patient_id", read), "patient_id")
    if not (path or report or report_path):
        raise CellError("image_path and report are empty")
    image_id = _id(row, "image_id", read) or path or f"line {row.line}"
    return Item(
        row=row.line,
        patient_id=patient,
        study_id=_id(row, "study_id", read) or image_id,
        image_id=image_id,
        path=path,
        order=cells.number(row.get("study_order"), "study_order"),
        day=day,
        view=cells.view(row.get("view"), row.get("view_type")),
        report=report,
        report_path=report_path,
        labels=labels,
        split=split_name(row.get("split")),
        age=cells.age(row.get("age")),
        sex=cells.sex(row.get("sex")),
        language=cells.language(row.get("language")),
    )


def _id(row: TableRow, column: str, read: ReadRows) -> str:
    """The id of a cell; a number that passed through a column of floats loses its `.0`.

    Raises:
      CellError: a number rounded by a spreadsheet, which several ids have in common.
    """
    cell = row.get(column)
    if _ROUNDED_ID.fullmatch(cell):
        raise CellError(f"{column} was rounded by a spreadsheet (1.23E+05)")
    whole = _FLOAT_ID.fullmatch(cell)
    if whole is None:
        return cell
    read.float_ids += 1
    return whole[1]
