# SPDX-License-Identifier: Apache-2.0
"""The image table as a `Source` of studies."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from etils import epath

from medst_jax.data_pipelines import image_files
from medst_jax.data_pipelines.image_table import columns, table
from medst_jax.data_pipelines.image_table.mined import LABELERS, with_mined
from medst_jax.data_pipelines.listing.about import About
from medst_jax.data_pipelines.listing.item import Item, Listing
from medst_jax.data_pipelines.listing.sentences import SentenceLabeler
from medst_jax.data_pipelines.listing.source import ListedSource

# Enough for a PNG header and a DICOM preamble.
_HEAD_BYTES = 132


@dataclass(frozen=True)
class ImageTable(ListedSource):
    """A folder with `metadata.csv`; see the package's docstring for the columns.

    labels_from_reports: a key of `LABELERS`, which labels studies with a report and no labels.
    """

    redistributable: bool = False
    labels_from_reports: str = ""

    about = About("any folder with a table of images")

    @cached_property
    def facts(self) -> Mapping[str, Any]:
        return {
            "redistributable": self.redistributable,
            "intensity": "voi_lut" if self._has_wide_files() else "none",
            "description": f"image table {self.name}",
            "labels_from_reports": self.labels_from_reports or "no",
        }

    def read(self) -> Listing:
        fixed = self._fixed_labels()
        rows = table.open_table(self.source_dir).rows()
        items, rejects, licences = columns.check_rows(rows, fixed)
        union = sorted({label for item in items for label in item.labels})
        labels = tuple(union if fixed is None else fixed)
        items = [self._with_negatives(item, labels) for item in items]
        if self.labels_from_reports:
            labeler = LABELERS[self.labels_from_reports]
            labels = tuple(dict.fromkeys((*labeler.classes, *labels)))
            items = with_mined(items, labeler)
        return Listing(
            items,
            rejects,
            labels,
            {"licence": "; ".join(licences)},
        )

    @property
    def sentence_labeler(self) -> SentenceLabeler:
        labeler = LABELERS.get(self.labels_from_reports)
        return labeler.sentence if labeler else super().sentence_labeler

    def _with_negatives(self, item: Item, labels: tuple[str, ...]) -> Item:
        codes = columns.complete_labels(dict(item.labels), labels)
        return dataclasses.replace(item, labels=codes)

    def _fixed_labels(self) -> tuple[str, ...] | None:
        path = epath.Path(self.source_dir) / "labels.txt"
        if not path.exists():
            return None
        lines = (line.strip() for line in path.read_text().splitlines())
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
