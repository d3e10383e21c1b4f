# SPDX-License-Identifier: Apache-2.0
"""ConVIRT's CheXpert 8x200 retrieval lists.

The folder is CheXpert's with the lists of github.com/yuhaozhang/convirt in it:
`image-retrieval/candidate.csv` (Path and labels, 200 images for each of eight classes) makes
`chexpert_8x200`, `image-retrieval/query.csv` (Variable, Path, ten images a class) makes
`chexpert_8x200_queries`; the text queries are in `medst_jax.data_pipelines.texts.table_pairs`.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from medst_jax.data_pipelines import cells
from medst_jax.data_pipelines.cells import CellError
from medst_jax.data_pipelines.chexpert.source import CheXpert, read_item
from medst_jax.data_pipelines.listing.chexpert_labels import codes, only_positive
from medst_jax.data_pipelines.listing.csv_table import CsvTable, TableRow, need_table
from medst_jax.data_pipelines.listing.item import Item, Listing

EIGHT = (
    "No Finding",
    "Cardiomegaly",
    "Edema",
    "Pneumonia",
    "Atelectasis",
    "Pneumothorax",
    "Pleural Effusion",
    "Fracture",
)


@dataclass(frozen=True)
class Candidates(CheXpert):
    """The images to be ranked."""

    name: str = "chexpert_8x200"

    about = dataclasses.replace(
        CheXpert.about,
        evaluation_only=True,
        description="ConVIRT's CheXpert 8x200 retrieval candidates (Zhang et al., "
        "arXiv:2010.00747)",
    )

    def read(self) -> Listing:
        path = need_table(self.source_dir, "image-retrieval/candidate.csv")

        def parse(row: TableRow) -> Item:
            positive = only_positive(codes(row, EIGHT), EIGHT)
            if positive is None:
                raise CellError("not exactly one of the eight classes")
            return self._item(row, positive)

        items, rejects = CsvTable(path).need("Path", *EIGHT).parse(parse, unique="Path")
        return Listing(items, rejects, EIGHT)

    def _item(self, row: TableRow, positive: str) -> Item:
        labels = {label: int(label == positive) for label in EIGHT}
        return dataclasses.replace(read_item(row, "test", self._prefix), labels=labels)


@dataclass(frozen=True)
class ImageQueries(Candidates):
    """The images to search with."""

    name: str = "chexpert_8x200_queries"

    about = dataclasses.replace(
        Candidates.about,
        description="ConVIRT's image queries for CheXpert 8x200 (Zhang et al., arXiv:2010.00747)",
    )

    def read(self) -> Listing:
        path = need_table(self.source_dir, "image-retrieval/query.csv")

        def parse(row: TableRow) -> Item:
            return self._item(row, cells.one_of(row.get("Variable"), EIGHT, "Variable"))

        items, rejects = CsvTable(path).need("Variable", "Path").parse(parse, unique="Path")
        return Listing(items, rejects, EIGHT)
