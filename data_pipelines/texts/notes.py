# SPDX-License-Identifier: Apache-2.0
"""Clinical notes of MIMIC-IV-Note and MIMIC-III as a corpus.

The folder holds `radiology.csv(.gz)` and `discharge.csv(.gz)` of MIMIC-IV-Note (subject_id, text),
or `NOTEEVENTS.csv(.gz)` of MIMIC-III (SUBJECT_ID, TEXT, ISERROR). Subjects of MIMIC-IV are those
of MIMIC-CXR: with `mimic-cxr-2.0.0-split.csv(.gz)` beside the notes, its validation and test
patients go to the splits val and test; every other subject of MIMIC-IV is train. Subjects of
MIMIC-III are numbered otherwise, and split by hash.
"""

from __future__ import annotations

import csv
import io
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from etils import epath

from medst_jax.data.records.annotations import Text
from medst_jax.data_pipelines.bounded_reading import TooLong
from medst_jax.data_pipelines.listing import splits
from medst_jax.data_pipelines.listing.about import About
from medst_jax.data_pipelines.listing.csv_table import CsvTable, TableError, TableRow, find_table
from medst_jax.data_pipelines.listing.splits import split_name
from medst_jax.data_pipelines.mimic_cxr import tables
from medst_jax.data_pipelines.raw import Reject
from medst_jax.data_pipelines.texts.source import TextSource
from medst_jax.data_pipelines.texts.stream import open_bytes

# Table: the columns of subject, text and, where there is one, of notes found to be wrong.
_TABLES = {
    "radiology.csv": ("subject_id", "text", ""),
    "discharge.csv": ("subject_id", "text", ""),
    "NOTEEVENTS.csv": ("SUBJECT_ID", "TEXT", "ISERROR"),
}
_MAX_CELL = 1 << 24  # characters; the csv module's own limit is below some notes


@dataclass(frozen=True)
class MimicNotes(TextSource):
    """Every note that is not marked as an error."""

    name: str = "mimic_notes"

    config = "texts"
    about = About(
        description="Clinical notes of MIMIC-IV-Note or MIMIC-III",
        licence="PhysioNet Credentialed Health Data License 1.5.0",
    )

    def files(self) -> Sequence[epath.Path]:
        paths = [path for name in _TABLES if (path := find_table(self.source_dir, name))]
        if not paths:
            raise TableError(f"{self.source_dir} has none of {', '.join(_TABLES)} (or .gz)")
        split_table = find_table(self.source_dir, *tables.SPLIT)
        return [*paths, *([split_table] if split_table else [])]

    def records(self) -> Iterator[tuple[str, Text] | Reject]:
        split_of = self._official_splits()
        for path in self.files():
            columns = _TABLES.get(path.name.removesuffix(".gz"))
            if columns is None:
                continue
            older = columns[2] != ""
            for note in read_notes(path, columns):
                if isinstance(note, Reject):
                    yield note
                else:
                    subject, text = note
                    hashed = splits.hashed_split(subject)
                    yield hashed if older else split_of.get(subject, "train"), Text(text, "en")

    def _official_splits(self) -> Mapping[str, str]:
        path = find_table(self.source_dir, *tables.SPLIT)
        if path is None:
            return {}

        def parse(row: TableRow) -> tuple[str, str]:
            return row.get("subject_id"), split_name(row.get("split"))

        pairs, _ = CsvTable(path).need("subject_id", "split").parse(parse)
        return {subject: split for subject, split in pairs if split != "train"}


def read_notes(
    path: epath.Path, columns: tuple[str, str, str]
) -> Iterator[tuple[str, str] | Reject]:
    """(subject, text) of every note, read piece by piece: these tables exceed memory.

    Raises:
      TableError: a column is missing.
    """
    with open_bytes(path) as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8", errors="replace", newline="")
        before = csv.field_size_limit(_MAX_CELL)
        try:
            yield from _rows(csv.reader(text), path, columns)
        except (csv.Error, OSError, EOFError, zlib.error, TooLong):
            yield Reject(0, "file is damaged, the rest of it is not read")
        finally:
            csv.field_size_limit(before)
            text.detach()


def _rows(
    reader: Iterator[list[str]], path: epath.Path, columns: tuple[str, str, str]
) -> Iterator[tuple[str, str] | Reject]:
    names = [name.strip() for name in next(reader, [])]
    subject, text, error = columns
    for column in filter(None, columns):
        if column not in names:
            raise TableError(f"{path}: column {column!r} is missing")
    for number, row in enumerate(reader, 2):
        if len(row) != len(names):
            yield Reject(number, "malformed row")
            continue
        cells = dict(zip(names, row, strict=True))
        if error and cells[error].strip() == "1":
            continue
        if not cells[subject].strip() or not cells[text].strip():
            yield Reject(number, "note without subject or text")
            continue
        yield cells[subject].strip(), cells[text].strip()
