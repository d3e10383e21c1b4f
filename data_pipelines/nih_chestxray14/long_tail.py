# SPDX-License-Identifier: Apache-2.0
"""NIH-CXR-LT: 20 classes, one per image, with a long tail (Holste et al., arXiv:2208.13365).

The folder is that of ChestX-ray14 with `LongTailCXR/nih-cxr-lt_single-label_*.csv` (id, 20 one-hot
columns, subject_id): train, balanced-val, test, and balanced-test. `nih_lt` is train, val (the
balanced one) and test; the balanced test images are a selection of patients that the other files
may name too, so they are a data set of their own, `nih_lt_balanced`. A patient of two files
stays with the last of train, val, test.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from medst_jax.data_pipelines import cells
from medst_jax.data_pipelines.cells import CellError
from medst_jax.data_pipelines.listing.csv_table import CsvTable, TableRow, need_table
from medst_jax.data_pipelines.listing.item import Item, Listing
from medst_jax.data_pipelines.listing.one_split import keep_last_split
from medst_jax.data_pipelines.nih_chestxray14 import tables
from medst_jax.data_pipelines.nih_chestxray14.source import NihChestXray14
from medst_jax.data_pipelines.raw import Reject

CLASSES = (
    *tables.FINDINGS,
    "Pneumoperitoneum",
    "Pneumomediastinum",
    "Subcutaneous Emphysema",
    "Tortuous Aorta",
    "Calcification of the Aorta",
    "No Finding",
)
# Spellings of the file's columns: with blanks or underscores, and the table's own.
_COLUMNS = {name: (name, name.replace("_", " "), name.replace(" ", "_")) for name in CLASSES}


@dataclass(frozen=True)
class NihLongTail(NihChestXray14):
    """Train, balanced validation and natural test set."""

    name: str = "nih_lt"

    truth_features: ClassVar[Mapping[str, Any]] = {}
    files: ClassVar[tuple[tuple[str, str], ...]] = (
        ("train", "train"),
        ("balanced-val", "val"),
        ("test", "test"),
    )

    about = dataclasses.replace(
        NihChestXray14.about,
        description="NIH-CXR-LT: ChestX-ray14 with 20 long-tailed classes, one per image "
        "(Holste et al., arXiv:2208.13365)",
    )

    def read(self) -> Listing:
        known, rejects = tables.read_images(self.source_dir)
        by_name = {item.image_id: item for item in known}
        path_of = tables.folders(self.source_dir)
        items: list[Item] = []
        for file, split in self.files:
            rows, refused = self._read_file(file)
            rejects += [Reject(r.row, f"{file} table: {r.reason}") for r in refused]
            for line, name, labels in rows:
                item = by_name.get(name)
                if item is None:
                    rejects.append(Reject(line, f"{file} table: image is not in the data entries"))
                    continue
                path = path_of.get(name, f"images/{name}")
                items.append(
                    dataclasses.replace(
                        item, row=line, path=path, labels=labels, split=split, boxes=()
                    )
                )
        items, torn = keep_last_split(items, ("train", "val", "test"))
        return Listing(items, [*rejects, *torn], CLASSES)

    def _read_file(
        self, file: str
    ) -> tuple[list[tuple[int, str, Mapping[str, int]]], list[Reject]]:
        name = f"nih-cxr-lt_single-label_{file}.csv"
        path = need_table(self.source_dir, f"LongTailCXR/{name}", name)
        table = CsvTable(path).need("id")
        columns = {
            label: next((c for c in spellings if c in table.names), label)
            for label, spellings in _COLUMNS.items()
        }
        table.need(*columns.values())

        def parse(row: TableRow) -> tuple[int, str, Mapping[str, int]]:
            labels = {label: cells.flag(row.get(c), c) for label, c in columns.items()}
            if sum(labels.values()) != 1:
                raise CellError("not exactly one class")
            return row.line, tables.image_name(row.get("id")), labels

        return table.parse(parse)


@dataclass(frozen=True)
class NihLongTailBalanced(NihLongTail):
    """The balanced test set."""

    name: str = "nih_lt_balanced"

    files: ClassVar[tuple[tuple[str, str], ...]] = (("balanced-test", "test"),)

    about = dataclasses.replace(NihLongTail.about, evaluation_only=True)
