# SPDX-License-Identifier: Apache-2.0
"""Rows of `metadata.csv` to items, and its notation of labels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from medst_jax.data.records import schema
from medst_jax.data_pipelines import cells
from medst_jax.data_pipelines.cells import CellError
from medst_jax.data_pipelines.listing.csv_table import TableRow, parse_rows
from medst_jax.data_pipelines.listing.item import Item
from medst_jax.data_pipelines.listing.splits import split_name
from medst_jax.data_pipelines.raw import Reject

_PREFIXES = {"-": schema.NEGATIVE, "?": schema.UNCERTAIN}


def parse_labels(cell: str) -> dict[str, int]:
    """Codes of the labels a cell lists: `a|-b|?c` -> a 1, b 0, c -1."""
    found = {}
    for entry in filter(None, map(str.strip, cell.split("|"))):
        code = _PREFIXES.get(entry[0], schema.POSITIVE)
        label = entry[1:].strip() if entry[0] in _PREFIXES else entry
        if not label:
            raise CellError("malformed labels")
        found[label] = code
    return found


def complete_labels(found: dict[str, int], vocabulary: Sequence[str]) -> dict[str, int]:
    """Adds the vocabulary's unlisted labels as negative, if the cell listed any.

    Raises:
      CellError: a label outside the vocabulary.
    """
    if not found:
        return {}
    if not set(found) <= set(vocabulary):
        raise CellError("label outside the vocabulary")
    return {label: found.get(label, schema.NEGATIVE) for label in vocabulary}


def check_rows(
    rows: Iterable[TableRow | Reject], fixed: Sequence[str] | None
) -> tuple[list[Item], list[Reject], list[str]]:
    """Items, rejects and the licences named; `fixed` is the vocabulary, if there is one."""
    seen: set[str] = set()
    licences: set[str] = set()

    def parse(row: TableRow) -> Item:
        licences.add(row.get("license"))
        item = _parse(row)
        if item.image_id in seen:
            raise CellError("image_id occurs twice")
        if fixed is not None:
            complete_labels(dict(item.labels), fixed)
        seen.add(item.image_id)
        return item

    items, rejects = parse_rows(rows, parse)
    return items, rejects, sorted(licences - {""})


def _parse(row: TableRow) -> Item:
    patient, path, report = row.get("patient_id"), row.get("image_path"), row.get("report")
    if not path and not report:
        raise CellError("image_path and report are empty")
    image_id = row.get("image_id") or path or f"line {row.line}"
    return Item(
        row=row.line,
        patient_id=cells.needed(patient, "patient_id"),
        study_id=row.get("study_id") or image_id,
        image_id=image_id,
        path=path,
        order=cells.number(row.get("study_order"), "study_order"),
        day=cells.number(row.get("day_offset"), "day_offset"),
        view=cells.view(row.get("view"), row.get("view_type")),
        report=report,
        labels=parse_labels(row.get("labels")),
        split=split_name(row.get("split")),
        age=cells.age(row.get("age")),
        sex=cells.sex(row.get("sex")),
        language=row.get("language") or "en",
    )
