# SPDX-License-Identifier: Apache-2.0
"""Flags of the command line to `TableOptions`."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from medst_jax.data_pipelines.image_table.column_names import COLUMNS, enumerated
from medst_jax.data_pipelines.image_table.options import (
    Blank,
    DateOrder,
    TableOptions,
    Unlisted,
)
from medst_jax.data_pipelines.listing.csv_table import TableError
from medst_jax.data_pipelines.listing.splits import SPLITS, split_name


def requested(
    *,
    columns: Sequence[str],
    label_columns: Sequence[str],
    blank: Blank,
    unlisted: Unlisted,
    splits: Sequence[str],
    dates: DateOrder,
    encoding: str,
) -> TableOptions:
    """The options that flags ask for.

    Args:
      columns: `view=ViewPosition`, or `labels=` for a column that is not to be read.
      label_columns: names of columns.
      blank, unlisted, dates, encoding: see `TableOptions`.
      splits: `external=test`, or `external` for a split that stays as it is.

    Raises:
      TableError: a pair that is none, an unknown name, or flags that exclude each other.
    """
    if label_columns and unlisted:
        raise TableError(
            "--unlisted is of the lists in column 'labels', --label_columns replaces it: use --blank"
        )
    if blank != "unknown" and not label_columns:
        raise TableError(f"--blank={blank} is of --label_columns=A,B,..., which is not given")
    if repeated := sorted({name for name in label_columns if label_columns.count(name) > 1}):
        raise TableError(f"--label_columns names {repeated[0]!r} twice")
    return TableOptions(
        columns=_columns(columns),
        label_columns=tuple(label_columns),
        blank=blank,
        unlisted=unlisted,
        splits=_splits(splits),
        dates=dates,
        encoding=encoding,
    )


def _columns(pairs: Sequence[str]) -> dict[str, str]:
    names: dict[str, str] = {}
    for pair in pairs:
        ours, equals, theirs = (part.strip() for part in pair.partition("="))
        if not equals:
            raise TableError(f"--columns={pair} is no pair: write view=NAME OF THE TABLE'S COLUMN")
        if ours not in COLUMNS:
            close = difflib.get_close_matches(ours, COLUMNS, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ";"
            raise TableError(
                f"--columns={pair}: {ours!r} is no column that is read{hint} those are "
                f"{enumerated(COLUMNS)}"
            )
        if ours in names or (theirs and theirs in names.values()):
            raise TableError(f"--columns={pair}: one of the two is named before")
        names[ours] = theirs
    return names


def _splits(pairs: Sequence[str]) -> dict[str, str]:
    names: dict[str, str] = {}
    for pair in pairs:
        theirs, equals, ours = (part.strip() for part in pair.partition("="))
        if equals and split_name(ours) not in SPLITS:
            raise TableError(f"--splits={pair}: {ours!r} is none of {', '.join(SPLITS)}")
        if not theirs:
            raise TableError(f"--splits={pair} names no split of the table")
        names[theirs] = ours if equals else theirs
    return names
