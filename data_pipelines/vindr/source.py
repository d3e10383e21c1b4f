# SPDX-License-Identifier: Apache-2.0
"""VinDr-CXR and VinDr-PCXR as sources.

| release | tables | images |
|---|---|---|
| VinDr-CXR, PhysioNet | annotations/image_labels_{train,test}.csv, annotations_{train,test}.csv | {train,test}/ID.dicom |
| VinDr-CXR, Kaggle | train.csv: one row per box and reader, 14 classes and "No finding" | train/ID.dicom |
| VinDr-PCXR, PhysioNet | image_labels_{train,test}.csv, annotations_{train,test}.csv | {train,test}/ID.dicom |

The test set is the official one; 10% of the training images, by hash, are for validation. A label
is positive when more than half of an image's readers say so; boxes are those of all readers.
Every image is a patient of its own: the releases name none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from etils import epath

from medst_jax.data_pipelines.listing import splits
from medst_jax.data_pipelines.listing.about import About
from medst_jax.data_pipelines.listing.csv_table import TableError, find_table, need_table
from medst_jax.data_pipelines.listing.dicom_items import from_header
from medst_jax.data_pipelines.listing.item import Box, Item, Listing
from medst_jax.data_pipelines.listing.source import BOXES, ListedSource
from medst_jax.data_pipelines.raw import Reject
from medst_jax.data_pipelines.vindr import readings

_LICENCE = "PhysioNet Credentialed Health Data License 1.5.0"
KAGGLE_CLASSES = (
    "Aortic enlargement",
    "Atelectasis",
    "Calcification",
    "Cardiomegaly",
    "Consolidation",
    "ILD",
    "Infiltration",
    "Lung Opacity",
    "Nodule/Mass",
    "Other lesion",
    "Pleural effusion",
    "Pleural thickening",
    "Pneumothorax",
    "Pulmonary fibrosis",
    "No finding",
)


@dataclass(frozen=True)
class VinDr(ListedSource):
    """What the releases share."""

    truth_features = BOXES

    def read(self) -> Listing:
        root = epath.Path(self.source_dir)
        folder = root / "annotations" if (root / "annotations").is_dir() else root
        items: list[Item] = []
        rejects: list[Reject] = []
        vocabulary: tuple[str, ...] = ()
        for split in ("train", "test"):
            name = f"image_labels_{split}.csv"
            path = need_table(folder, name) if split == "train" else find_table(folder, name)
            if path is None:
                continue
            parsed, refused, labels = readings.read_one_hot(path)
            if vocabulary and set(vocabulary) != set(labels):
                odd = ", ".join(sorted(set(vocabulary) ^ set(labels)))
                raise TableError(
                    f"image_labels_train.csv and image_labels_test.csv differ in the columns {odd}: "
                    "a finding that one table lacks would be stored as absent"
                )
            vocabulary = vocabulary or labels
            boxes, unplaced = self._boxes(folder, split, vocabulary)
            votes = readings.vote(parsed, vocabulary)
            items += self._items(split, votes, boxes)
            rejects += [Reject(r.row, f"{split} tables: {r.reason}") for r in (*refused, *unplaced)]
        return Listing(items, rejects, vocabulary)

    def complete(self, item: Item) -> Item:
        return from_header(self.source_dir, item)

    def _boxes(
        self, folder: epath.Path, split: str, labels: tuple[str, ...]
    ) -> tuple[Mapping[str, tuple[Box, ...]], list[Reject]]:
        path = find_table(folder, f"annotations_{split}.csv")
        if path is None:
            return {}, []
        _, boxes, rejects = readings.read_boxes(path, labels)
        return boxes, rejects

    def _items(
        self,
        split: str,
        votes: Mapping[str, tuple[int, Mapping[str, int]]],
        boxes: Mapping[str, tuple[Box, ...]],
    ) -> list[Item]:
        suffix = self._suffix(split)
        return [
            Item(
                row=row,
                patient_id=image,
                study_id=image,
                image_id=image,
                path=f"{split}/{image}{suffix}",
                labels=labels,
                split="test" if split == "test" else splits.hold_out(image),
                boxes=boxes.get(image, ()),
            )
            for image, (row, labels) in votes.items()
        ]

    def _suffix(self, split: str) -> str:
        folder = epath.Path(self.source_dir) / split
        names = (file.name for file in folder.iterdir()) if folder.is_dir() else iter(())
        return ".dcm" if next(names, "").endswith(".dcm") else ".dicom"


@dataclass(frozen=True)
class VinDrCxr(VinDr):
    """Adults, from either release."""

    name: str = "vindr_cxr"

    about = About(
        licence=_LICENCE,
        intensity="mimic_jpg",
        description="VinDr-CXR: radiographs of two hospitals in Hanoi with labels and "
        "boxes of radiologists (Nguyen et al., arXiv:2012.15029)",
    )

    def read(self) -> Listing:
        path = find_table(self.source_dir, "train.csv")
        if path is None:
            return super().read()
        parsed, boxes, rejects = readings.read_boxes(path, KAGGLE_CLASSES)
        votes = readings.vote(parsed, KAGGLE_CLASSES)
        return Listing(self._items("train", votes, boxes), rejects, KAGGLE_CLASSES)


@dataclass(frozen=True)
class VinDrPcxr(VinDr):
    """Children."""

    name: str = "vindr_pcxr"

    about = About(
        licence=_LICENCE,
        intensity="mimic_jpg",
        description="VinDr-PCXR: radiographs of children with labels and boxes of "
        "radiologists (Pham et al., Scientific Data 2023)",
    )
