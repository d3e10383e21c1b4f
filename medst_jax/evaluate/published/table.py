# SPDX-License-Identifier: Apache-2.0
"""A published table: methods in rows, tasks in columns, as printed in its paper."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from medst_jax.options import OptionError

Cell = float | str | None


@dataclasses.dataclass(frozen=True)
class Column:
    """A column, and the number of ours that belongs into it.

    Attributes:
      name: its heading; no two columns of a table under one `group` share it.
      task: of our row: "task" or "task/part" as in `metrics.json`. Empty: we have no such number.
      metric: of our row.
      mean_of: names of columns whose mean this one is, in place of a task.
      group: heading over several columns; those of a group stand together.
      digits: decimals that the paper prints.
      scale: by which our number is multiplied, 100 for percent.
    """

    name: str
    task: str = ""
    metric: str = ""
    mean_of: tuple[str, ...] = ()
    group: str = ""
    digits: int = 2
    scale: float = 100.0


@dataclasses.dataclass(frozen=True)
class PublishedRow:
    """A method and its numbers.

    Attributes:
      method: its name, with the data that it was trained on where the paper says so.
      values: one a column: a number, a text such as "60.57 ± 1.18", None where none was published.
    """

    method: str
    values: tuple[Cell, ...]


@dataclasses.dataclass(frozen=True)
class PublishedTable:
    """A table of a paper.

    Attributes:
      title: as "Table 2, zero-shot".
      source: the paper, and the number of the table in it.
      columns, rows: as printed.
      caption: the metric and its unit, and what else a reader needs.
    """

    title: str
    source: str
    columns: tuple[Column, ...]
    rows: tuple[PublishedRow, ...]
    caption: str

    def check(self, where: str, tasks: Mapping[str, Any]) -> None:
        """Check the shape of the table and the tasks of its columns.

        Raises:
          OptionError: names the row or the column.
        """
        names = [column.name for column in self.columns]
        for column in self.columns:
            place = f"{where}, column {column.name!r}"
            if column.task and column.task.partition("/")[0] not in tasks:
                raise OptionError(f"{place}: the suite has no task {column.task!r}")
            if bool(column.task) != bool(column.metric):
                raise OptionError(f"{place}: task and metric go together")
            if column.task and column.mean_of:
                raise OptionError(f"{place}: it is of a task or a mean, not both")
            unknown = [name for name in column.mean_of if names.count(name) != 1]
            if unknown:
                raise OptionError(f"{place}: mean of {unknown[0]!r}, which is no one column")
        for row in self.rows:
            if len(row.values) != len(self.columns):
                raise OptionError(
                    f"{where}, row {row.method!r} has {len(row.values)} values for "
                    f"{len(self.columns)} columns"
                )
