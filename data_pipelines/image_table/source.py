# SPDX-License-Identifier: Apache-2.0
"""The image table as a `Source` of studies."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from etils import epath

from medst_jax.data_pipelines import image_files
from medst_jax.data_pipelines.image_table import understood
from medst_jax.data_pipelines.image_table.columns import ReadRows, read_rows
from medst_jax.data_pipelines.image_table.label_lists import (
    UnlistedLabels,
    check_vocabulary,
    decide_unlisted,
)
from medst_jax.data_pipelines.image_table.mined import LABELERS, report_counts, with_mined
from medst_jax.data_pipelines.image_table.options import TableOptions
from medst_jax.data_pipelines.image_table.split_names import known_splits
from medst_jax.data_pipelines.listing.about import About
from medst_jax.data_pipelines.listing.csv_table import TableError, read_lines
from medst_jax.data_pipelines.listing.item import Item, Listing
from medst_jax.data_pipelines.listing.sentences import SentenceLabeler
from medst_jax.data_pipelines.listing.source import ListedSource

# Enough for a PNG header and a DICOM preamble.
_HEAD_BYTES = 132
# What a card holds of the choice; a card of before had no choice and took "negative".
_UNLISTED = "unlisted_labels"


@dataclass(frozen=True)
class ImageTable(ListedSource):
    """A folder with `metadata.csv`; see the package's docstring for the columns.

    labels_from_reports: a key of `LABELERS`, which labels studies with a report and no labels.
    options: how cells are to be understood where the table does not say it.
    """

    redistributable: bool = False
    labels_from_reports: str = ""
    options: TableOptions = field(default_factory=TableOptions)

    about = About("any folder with a table of images")

    @cached_property
    def facts(self) -> Mapping[str, Any]:
        unlisted = self._read[1]
        return {
            "redistributable": self.redistributable,
            "intensity": "voi_lut" if self._has_wide_files() else "none",
            "description": f"image table {self.name}",
            "labels_from_reports": self.labels_from_reports or "no",
            _UNLISTED: unlisted.meaning or "none is unlisted",
            "blank_label_cells": self.options.blank if self.options.label_columns else "no",
        }

    def read(self) -> Listing:
        rows, unlisted = self._read
        labels = self._labels
        items = known_splits(rows.items, self.options.splits)
        items = [
            dataclasses.replace(item, labels=unlisted.complete(dict(item.labels), labels))
            for item in items
        ]
        card: dict[str, Any] = {"licence": "; ".join(rows.licences)}
        if self.labels_from_reports:
            labeler = LABELERS[self.labels_from_reports]
            labels = tuple(dict.fromkeys((*labeler.classes, *labels)))
            card |= report_counts(items)
            items = with_mined(items, labeler)
        return Listing(items, rows.rejects, labels, card)

    def notes(self) -> list[str]:
        rows, unlisted = self._read
        return [
            *understood.table_lines(rows, self.options),
            *understood.row_lines(rows),
            *([] if self.options.label_columns else understood.list_lines(rows, unlisted)),
            *super().notes(),
        ]

    def check_rebuild(self, card: Mapping[str, Any]) -> None:
        """Raises TableError when unlisted labels would mean something else than in the build of `card`."""
        unlisted = self._read[1]
        earlier = card.get(_UNLISTED, "negative")
        if self.options.unlisted or not unlisted.meaning or earlier == unlisted.meaning:
            return
        if earlier in ("negative", "unknown"):
            raise TableError(
                f"data set {self.name!r} was built with --unlisted={earlier}, and its table now says "
                f"{unlisted.meaning} ({unlisted.why}): say which, --unlisted=negative or "
                "--unlisted=unknown"
            )

    @property
    def sentence_labeler(self) -> SentenceLabeler:
        labeler = LABELERS.get(self.labels_from_reports)
        return labeler.sentence if labeler else super().sentence_labeler

    @property
    def sentence_classes(self) -> Collection[str]:
        labeler = LABELERS.get(self.labels_from_reports)
        return labeler.classes if labeler else super().sentence_classes

    @cached_property
    def _read(self) -> tuple[ReadRows, UnlistedLabels]:
        rows = read_rows(self.source_dir, self.options, self._fixed_labels)
        items: Sequence[Item] = [] if self.options.label_columns else rows.items
        return rows, decide_unlisted(items, self._vocabulary(rows), self.options.unlisted)

    @property
    def _labels(self) -> tuple[str, ...]:
        return self._vocabulary(self._read[0])

    def _vocabulary(self, rows: ReadRows) -> tuple[str, ...]:
        if self._fixed_labels is not None:
            return self._fixed_labels
        if self.options.label_columns:
            return self.options.label_columns
        labels = tuple(sorted({label for item in rows.items for label in item.labels}))
        check_vocabulary(labels)
        return labels

    @cached_property
    def _fixed_labels(self) -> tuple[str, ...] | None:
        path = epath.Path(self.source_dir) / "labels.txt"
        if not path.exists():
            return None
        lines = read_lines(path, western=True)
        return tuple(dict.fromkeys(line for line in lines if line and not line.startswith("#")))

    def _has_wide_files(self) -> bool:
        return any(image_files.bit_depth(head) > 8 for head in self._heads())

    def _heads(self) -> Iterator[bytes]:
        for item in self._listing.items:
            if not item.path or item.path.lower().endswith((".jpg", ".jpeg")):
                continue
            try:
                with open(image_files.resolve(self.source_dir, item.path), "rb") as file:
                    yield file.read(_HEAD_BYTES)
            except (OSError, image_files.UnreadableImage):
                continue
