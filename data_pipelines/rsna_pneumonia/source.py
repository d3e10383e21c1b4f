# SPDX-License-Identifier: Apache-2.0
"""RSNA Pneumonia Detection Challenge, stage 2, as on Kaggle.

| file | content |
|---|---|
| stage_2_train_labels.csv | patientId, x, y, width, height, Target: one row per box |
| stage_2_detailed_class_info.csv | patientId, class; optional, rows repeat |
| stage_2_train_images/PATIENTID.dcm | 1024 x 1024, 8 bit |

The test images of the challenge have no labels and are not read. Splits follow the recipe of
GLoRIA and MGCA (`listing.splits.seventy_fifteen_fifteen`). The images are a part of NIH
ChestX-ray14, and `patientId` is the id of an image. RSNA's
pneumonia-challenge-dataset-mappings_2018.json, put into the folder, tells the NIH patient of
each image: splits are then by patient, and NIH's training images of these patients can be left out.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from etils import epath

from medst_jax.data.records import schema
from medst_jax.data_pipelines import cells
from medst_jax.data_pipelines.cells import CellError
from medst_jax.data_pipelines.listing.about import About
from medst_jax.data_pipelines.listing.csv_table import (
    CsvTable,
    TableError,
    TableRow,
    find_table,
    need_table,
)
from medst_jax.data_pipelines.listing.dicom_items import from_header
from medst_jax.data_pipelines.listing.item import Box, Item, Listing
from medst_jax.data_pipelines.listing.source import BOXES, ListedSource
from medst_jax.data_pipelines.listing.splits import seventy_fifteen_fifteen
from medst_jax.data_pipelines.nih_chestxray14.tables import NAMESPACE, patient_of_image
from medst_jax.data_pipelines.raw import Reject

PNEUMONIA = "Pneumonia"
_MAPPING = "pneumonia-challenge-dataset-mappings_2018.json"
_UNMAPPED = {
    "cautions": {
        "patients unknown": "images of one patient may lie on both sides of a split, as about 63% "
        f"of the test images do: put RSNA's {_MAPPING} into the folder and prepare again"
    }
}
CLASSES = ("Normal", "No Lung Opacity / Not Normal", "Lung Opacity")


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    image: str
    target: int
    box: Box | None


@dataclass(frozen=True)
class RsnaPneumonia(ListedSource):
    """The training images of the challenge."""

    name: str = "rsna_pneumonia"

    truth_features = BOXES
    box_frame = (1024, 1024)

    about = About(
        licence="RSNA challenge terms of use (Kaggle)",
        intensity="mimic_jpg",
        description="RSNA pneumonia challenge: radiographs of NIH ChestX-ray14 with boxes "
        "of radiologists (Shih et al., Radiology: AI 2019)",
    )

    def read(self) -> Listing:
        table = CsvTable(need_table(self.source_dir, "stage_2_train_labels.csv"))
        rows, rejects = table.need("patientId", "x", "y", "width", "height", "Target").parse(_parse)
        classes, refused = self._classes()
        by_image: dict[str, list[_Row]] = defaultdict(list)
        for row in rows:
            by_image[row.image].append(row)
        patients = self._patients()
        unmapped = [
            Reject(by_image[i][0].line, "image is not in the mapping")
            for i in by_image
            if patients and i not in patients
        ]
        patient_of = {i: patients.get(i, i) for i in by_image if not patients or i in patients}
        split = seventy_fifteen_fifteen(patient_of.values())
        items = []
        for image, patient in patient_of.items():
            group = by_image[image]
            named = classes.get(image)
            labels = {PNEUMONIA: max(row.target for row in group)}
            labels |= {c: int(c == named) if named else schema.OUTSIDE for c in CLASSES}
            items.append(
                Item(
                    row=group[0].line,
                    patient_id=patient,
                    study_id=image,
                    image_id=image,
                    path=f"stage_2_train_images/{image}.dcm",
                    labels=labels,
                    split=split[patient],
                    boxes=tuple(row.box for row in group if row.box is not None),
                )
            )
        card = {"namespace": NAMESPACE} if patients else _UNMAPPED
        return Listing(items, [*rejects, *refused, *unmapped], (PNEUMONIA, *CLASSES), card)

    def complete(self, item: Item) -> Item:
        return from_header(self.source_dir, item)

    def _patients(self) -> Mapping[str, str]:
        """NIH patient of each image; empty without RSNA's mapping."""
        path = epath.Path(self.source_dir) / _MAPPING
        if not path.exists():
            return {}
        unusable = f"{path} is not RSNA's list of img_id and subset_img_id: fetch it again"
        try:
            patients = {
                str(entry["subset_img_id"]): patient_of_image(str(entry["img_id"]))
                for entry in json.loads(path.read_bytes())
            }
        except (ValueError, KeyError, TypeError) as error:
            raise TableError(unusable) from error
        if not patients:
            raise TableError(unusable)
        return patients

    def _classes(self) -> tuple[dict[str, str], list[Reject]]:
        path = find_table(self.source_dir, "stage_2_detailed_class_info.csv")
        if path is None:
            return {}, []

        def parse(row: TableRow) -> tuple[str, str]:
            name = cells.one_of(row.get("class"), CLASSES, "class")
            return cells.needed(row.get("patientId"), "patientId"), name

        pairs, rejects = CsvTable(path).need("patientId", "class").parse(parse)
        return dict(pairs), [Reject(r.row, f"class table: {r.reason}") for r in rejects]


def _parse(row: TableRow) -> _Row:
    image = cells.file_stem(row.get("patientId"), "patientId")
    target = cells.flag(row.get("Target"), "Target")
    sides = [cells.number(row.get(c), c) for c in ("x", "y", "width", "height")]
    known = [not math.isnan(side) for side in sides]
    if any(known) != bool(target) or any(known) != all(known):
        raise CellError("box and Target disagree")
    if not target:
        return _Row(row.line, image, 0, None)
    x, y, width, height = sides
    return _Row(row.line, image, 1, Box(PNEUMONIA, x, y, x + width, y + height))
