# SPDX-License-Identifier: Apache-2.0
"""The tables of ChestX-ray14.

| table | content |
|---|---|
| Data_Entry_2017_v2020.csv (or Data_Entry_2017.csv) | one row per image, labels between `\\|` |
| BBox_List_2017.csv | 984 boxes on 880 images |
| train_val_list.txt, test_list.txt | official split, one file name per line |

Two headers hold commas without quotes, so `OriginalImage[Width,Height]` is two columns,
`OriginalImage[Width` and `Height]`, and `Bbox [x,y,w,h]` is four.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping

from etils import epath

from medst_jax.data_pipelines import cells
from medst_jax.data_pipelines.cells import CellError
from medst_jax.data_pipelines.listing import splits
from medst_jax.data_pipelines.listing.csv_table import (
    CsvTable,
    TableRow,
    find_table,
    need_table,
    read_lines,
)
from medst_jax.data_pipelines.listing.item import Box, Item
from medst_jax.data_pipelines.raw import NAN, Reject

NAMESPACE = "nih_chestxray14"
FINDINGS = (
    "Atelectasis",
    "Cardiomegaly",
    "Consolidation",
    "Edema",
    "Effusion",
    "Emphysema",
    "Fibrosis",
    "Hernia",
    "Infiltration",
    "Mass",
    "Nodule",
    "Pleural_Thickening",
    "Pneumonia",
    "Pneumothorax",
)
NO_FINDING = "No Finding"
LABELS = (*FINDINGS, NO_FINDING)
_BOX_NAMES = {"Infiltrate": "Infiltration"}
_SIDE = 1024  # pixels of the released PNG files
_NAME = re.compile(r"\d{8}_\d{3}\.png")


def read_images(source_dir: epath.PathLike) -> tuple[list[Item], list[Reject]]:
    """Every image with its labels and boxes, without path and split."""
    boxes, rejects = read_boxes(source_dir)
    table = CsvTable(need_table(source_dir, "Data_Entry_2017_v2020.csv", "Data_Entry_2017.csv"))
    table.need("Image Index", "Finding Labels", "Follow-up #", "Patient ID")
    items, refused = table.parse(lambda row: _item(row, boxes), unique="Image Index")
    return items, [*refused, *rejects]


def patient_of_image(name: str) -> str:
    """The patient of `00000013_005.png`, as the table of labels writes it: "13".

    Raises:
      ValueError: not the name of an image of this data set.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of a ChestX-ray14 image")
    return str(int(name[:8]))


def _item(row: TableRow, boxes: Mapping[str, tuple[Box, ...]]) -> Item:
    name = image_name(row.get("Image Index"))
    findings = {label.strip() for label in row.get("Finding Labels").split("|")}
    if not findings <= set(LABELS):
        raise CellError("Finding Labels holds an unknown finding")
    patient = cells.digits(row.get("Patient ID"), "Patient ID")
    return Item(
        row=row.line,
        patient_id=patient,
        study_id=name.removesuffix(".png"),
        image_id=name,
        view=cells.view(row.get("View Position"), "frontal"),
        order=cells.number(row.get("Follow-up #"), "Follow-up #"),
        labels={label: int(label in findings) for label in LABELS},
        age=cells.age(row.get("Patient Age")),
        sex=cells.sex(row.get("Patient Gender")),
        spacing=_spacing(row),
        boxes=boxes.get(name, ()),
    )


def image_name(cell: str) -> str:
    """The cell; raises CellError unless it is like 00000001_000.png."""
    if not _NAME.fullmatch(cell):
        raise CellError("image name is not like 00000001_000.png")
    return cell


def _spacing(row: TableRow) -> tuple[float, float]:
    """(row, column) mm of the released image, which is the original scaled to 1024 x 1024."""
    try:
        width, height, x, y = (
            cells.number(row.get(column), column)
            for column in ("OriginalImage[Width", "Height]", "OriginalImagePixelSpacing[x", "y]")
        )
    except CellError:
        return (NAN, NAN)
    return (y * height / _SIDE, x * width / _SIDE)


def read_boxes(source_dir: epath.PathLike) -> tuple[dict[str, tuple[Box, ...]], list[Reject]]:
    """Boxes by image, in the released image's pixels; none without the table."""
    path = find_table(source_dir, "BBox_List_2017.csv")
    if path is None:
        return {}, []

    def parse(row: TableRow) -> tuple[str, Box]:
        label = row.get("Finding Label")
        label = _BOX_NAMES.get(label, label)
        if label not in FINDINGS:
            raise CellError("Finding Label is unknown")
        x, y, w, h = (
            cells.number(cells.needed(row.get(column), column), column)
            for column in ("Bbox [x", "y", "w", "h]")
        )
        return image_name(row.get("Image Index")), Box(label, x, y, x + w, y + h)

    pairs, rejects = CsvTable(path).need("Image Index", "Finding Label", "Bbox [x").parse(parse)
    boxes_of = defaultdict(list)
    for name, box in pairs:
        boxes_of[name].append(box)
    return (
        {name: tuple(boxes) for name, boxes in boxes_of.items()},
        [Reject(r.row, f"box table: {r.reason}") for r in rejects],
    )


def official_split(source_dir: epath.PathLike) -> Mapping[str, str]:
    """test, or trainval, of every image that the lists name; empty without test_list.txt."""
    root = epath.Path(source_dir)
    if not (root / "test_list.txt").exists():
        return {}
    split = {}
    for file, name in (("train_val_list.txt", "trainval"), ("test_list.txt", "test")):
        if (root / file).exists():
            split.update(dict.fromkeys(" ".join(read_lines(root / file)).split(), name))
    return split


def split_of(item: Item, official: Mapping[str, str]) -> str:
    """The official test set; 10% of the other patients, by hash, for validation."""
    return "test" if official.get(item.image_id) == "test" else splits.hold_out(item.patient_id)


def folders(source_dir: epath.PathLike) -> Mapping[str, str]:
    """Path of every image file in images/ or images_001/images/ to images_012/images/."""
    root = epath.Path(source_dir)
    places = ["images", *(f"images_{k:03d}/images" for k in range(1, 13))]
    places += [f"images_{k:03d}" for k in range(1, 13)]
    paths: dict[str, str] = {}
    for place in places:
        if (root / place).is_dir():
            for file in (root / place).iterdir():
                if file.name.endswith(".png"):
                    paths.setdefault(file.name, f"{place}/{file.name}")
    return paths
