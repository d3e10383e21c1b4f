# SPDX-License-Identifier: Apache-2.0
"""CheXpert v1.0, full or small, with its own or the VisualCheXbert labels.

The folder is the release's (or the one around it) and holds

| table | split | columns |
|---|---|---|
| train.csv | train | Path, Sex, Age, Frontal/Lateral, AP/PA, 14 labels |
| valid.csv | val | the same |
| test_labels.csv or groundtruth.csv | test | Path, 14 labels |
| train_visualCheXbert.csv | train of `chexpert_visualchexbert` | as train.csv, codes 0 and 1 only |

`Path` is `CheXpert-v1.0-small/train/patient00001/study1/view1_frontal.jpg`; only the part from
train/, valid/ or test/ on is used. Studies of a patient are ordered by their number; dates are
not published.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from etils import epath

from medst_jax.data_pipelines import cells
from medst_jax.data_pipelines.cells import CellError
from medst_jax.data_pipelines.listing import chexpert_labels, class_balance
from medst_jax.data_pipelines.listing.about import About
from medst_jax.data_pipelines.listing.chexpert_labels import CHEXPERT
from medst_jax.data_pipelines.listing.class_balance import five_by_200
from medst_jax.data_pipelines.listing.csv_table import CsvTable, TableRow, find_table, need_table
from medst_jax.data_pipelines.listing.item import Item, Listing
from medst_jax.data_pipelines.listing.source import ListedSource
from medst_jax.data_pipelines.raw import Reject

NAMESPACE = "chexpert"
_PATH = re.compile(r"(train|valid|test)/(patient\d+)/study(\d+)/[\w.-]+$", re.ASCII)
_TEST_TABLES = ("test_labels.csv", "groundtruth.csv", "test.csv")


@dataclass(frozen=True)
class CheXpert(ListedSource):
    """All images; `train_table` names the training labels."""

    name: str = "chexpert"
    train_table: str = "train.csv"

    about = About(
        licence="Stanford University Dataset Research Use Agreement",
        namespace=NAMESPACE,
        description="CheXpert: radiographs of Stanford Hospital with labels mined from "
        "reports (Irvin et al., arXiv:1901.07031)",
    )

    @property
    def facts(self) -> Mapping[str, Any]:
        return {"train_table": self.train_table}

    def read(self) -> Listing:
        root = release_folder(self.source_dir)
        named = (("train", (self.train_table,)), ("val", ("valid.csv",)), ("test", _TEST_TABLES))
        found_tables = ((find_table(root, *names), split) for split, names in named)
        tables = [(path, split) for path, split in found_tables if path is not None]
        # Some of the tables are a data set too, but not without those labels it is named after.
        if not tables or self.train_table != "train.csv":
            need_table(root, self.train_table)
        items: list[Item] = []
        rejects: list[Reject] = []
        for path, split in tables:
            parsed, refused = read_table(path, split, self._prefix)
            items += parsed
            rejects += [Reject(r.row, f"{split} table: {r.reason}") for r in refused]
        return Listing(items, rejects, CHEXPERT)

    @property
    def _prefix(self) -> str:
        """Leads from the source folder to the release, for example `CheXpert-v1.0-small/`."""
        root = release_folder(self.source_dir)
        relative = root.relative_to(epath.Path(self.source_dir)).as_posix()
        return "" if relative == "." else relative + "/"


def release_folder(source_dir: str) -> epath.Path:
    """The folder that holds train/ and the tables: the given one, or a release inside it."""
    root = epath.Path(source_dir)
    for name in ("CheXpert-v1.0-small", "CheXpert-v1.0"):
        if (root / name).is_dir():
            return root / name
    return root


def read_table(path: epath.Path, split: str, prefix: str) -> tuple[list[Item], list[Reject]]:
    """Items of one table; `prefix` leads from the source folder to the release."""
    table = chexpert_labels.need_columns(CsvTable(path).need("Path"))
    return table.parse(lambda row: read_item(row, split, prefix), unique="Path")


def read_item(row: TableRow, split: str, prefix: str) -> Item:
    """The item of a row; `prefix` leads from the source folder to the release."""
    match = _PATH.search(row.get("Path"))
    if match is None:
        raise CellError("Path is not .../patientN/studyN/FILE below train, valid or test")
    patient, study = match[2], match[3]
    side = row.get("Frontal/Lateral") or ("Lateral" if "lateral" in match[0] else "Frontal")
    return Item(
        row=row.line,
        patient_id=patient,
        study_id=f"{patient}/study{study}",
        image_id=match[0],
        path=prefix + match[0],
        view=cells.view(row.get("AP/PA"), side),
        order=float(study),
        labels=chexpert_labels.codes(row),
        split=split,
        age=cells.age(row.get("Age")),
        sex=cells.sex(row.get("Sex")),
    )


@dataclass(frozen=True)
class CheXpert5x200(CheXpert):
    """200 images of each of five classes; see `medst_jax.data_pipelines.listing.class_balance`."""

    name: str = "chexpert_5x200"
    rule: str = "published"

    about = dataclasses.replace(
        CheXpert.about,
        evaluation_only=True,
        description="CheXpert-5x200: 200 frontal training images for each of five classes "
        "(Huang et al., GLoRIA, ICCV 2021)",
    )

    def read(self) -> Listing:
        listing = super().read()
        training = [item for item in listing.items if item.split == "train"]
        if not training:
            need_table(release_folder(self.source_dir), self.train_table)
        return five_by_200(
            dataclasses.replace(listing, items=training),
            rule=self.rule,
            published=class_balance.chexpert,
            released=epath.Path(self.source_dir) / "chexpert_5x200.csv",
            name_of=_image_id,
        )


def _image_id(path: str) -> str:
    match = _PATH.search(path)
    return match[0] if match else ""
