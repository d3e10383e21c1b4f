# SPDX-License-Identifier: Apache-2.0
"""Builds 40 images of each real label table, and compares what is stored with the table.

    pip download --no-deps torchxrayvision==1.5.7 && unzip torchxrayvision-*.whl
    python -m experiments.real_images --tables=torchxrayvision/data [--images=40]

The tables are whole and real; the pixels are ramps, written in each release's file format under the
names of rows drawn at random, as if a user had downloaded a part. The build runs with `--only_existing`. Prints one JSON
object: for each data set the images stored, the rejects, and labels that differ from the table's.
"""

import dataclasses
import io
import json
import math
import pathlib
import re
import tarfile
import tempfile
from typing import Any

import numpy as np
import pydicom
from absl import app, flags
from PIL import Image

from experiments.real_tables import RELEASES, lay_out
from medst_jax.data.records.studies import open_studies
from medst_jax.data_pipelines.build import BuildOptions, build
from medst_jax.data_pipelines.encode import Encoding
from medst_jax.data_pipelines.listing.item import Item
from medst_jax.data_pipelines.listing.source import ListedSource
from medst_jax.data_pipelines.open_i.source import OpenI
from medst_jax.data_pipelines.run_banks import Runner

# `experiments.real_tables` defines --tables.
_IMAGES = flags.DEFINE_integer("images", 40, "Images of each data set.", lower_bound=1)
_LEAST = 256  # pixels of a side; more where the table has boxes, which must lie inside


def dicom_file(pixels: np.ndarray) -> bytes:
    """An uncompressed 8-bit DICOM file of a frontal image."""
    meta = pydicom.dataset.FileMetaDataset()
    meta.MediaStorageSOPClassUID = pydicom.uid.DigitalXRayImageStorageForPresentation
    meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
    meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    header = pydicom.dataset.FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    header.SOPClassUID = meta.MediaStorageSOPClassUID
    header.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    header.Rows, header.Columns = pixels.shape
    header.SamplesPerPixel, header.PixelRepresentation = 1, 0
    header.PhotometricInterpretation, header.ViewPosition = "MONOCHROME2", "PA"
    header.BitsAllocated = header.BitsStored = 8
    header.HighBit = 7
    header.PixelData = pixels.tobytes()
    buffer = io.BytesIO()
    header.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def write_image(path: pathlib.Path, seed: int, item: Item | None = None) -> None:
    """A ramp of its own for every seed, in the format that the file's name asks for."""
    corners = [max(box.x1, box.y1) for box in item.boxes] if item else []
    side = max(_LEAST, *map(math.ceil, corners), 0)
    noise = np.random.default_rng(seed).uniform(0, 70, (side, side))
    pixels = (np.linspace(0, 180, side)[:, None] + noise).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix in (".dcm", ".dicom"):
        path.write_bytes(dicom_file(pixels))
    else:
        Image.fromarray(pixels).save(path)


def compare(source: ListedSource, items: list[Item]) -> dict[str, Any]:
    """Build what exists of a data set, and count what differs from the items drawn."""
    with tempfile.TemporaryDirectory() as data_dir:
        options = BuildOptions(encoding=Encoding(size=64), runner=Runner(workers=1))
        info = build(source, data_dir, options).info
        drawn = {item.image_id: item for item in items}
        stored: dict[str, dict[str, int]] = {}
        for split in info["splits"]:
            for study in open_studies(data_dir, source.name, split):
                labels = dict(zip(info["labels"], map(int, study.labels), strict=True))
                stored |= {image.image_id: labels for image in study.images}
    unknown = -3
    differing = sum(
        stored[name].get(label, unknown) != code
        for name, item in drawn.items()
        if name in stored
        for label, code in item.labels.items()
    )
    return {
        "drawn": len(drawn),
        "stored": len(stored.keys() & drawn.keys()),
        "others_stored": len(stored.keys() - drawn.keys()),
        "labels_that_differ": differing,
        "rejects": info["rejects"],
    }


def of_release(name: str, tables: pathlib.Path, images: int) -> dict[str, Any]:
    """What comes of one release's tables with some of their images."""
    make, files, folders = RELEASES[name]
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        for each in folders:
            (folder / each).mkdir()
        lay_out(tables, folder, files)
        items = list(make(temporary).read().items)
        # One image a study: a study's labels are then those of its row.
        of_studies = list({(item.patient_id, item.study_id): item for item in items}.values())
        rows = np.random.default_rng(0).choice(len(of_studies), images, replace=False)
        drawn = [of_studies[row] for row in sorted(rows)]
        for seed, item in enumerate(drawn):
            write_image(folder / item.path, seed, item)
        return compare(dataclasses.replace(make(temporary), only_existing=True), drawn)


def of_open_i(tables: pathlib.Path, images: int) -> dict[str, Any]:
    """The same for Open-i, whose reports name their images."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        with tarfile.open(tables / "NLMCXR_reports.tgz") as archive:
            archive.extractall(folder, filter="data")
        reports = sorted(folder.rglob("*.xml"))
        seed = 0
        for path in reports:
            named = re.findall(r'<parentImage id="([^"]+)"', path.read_text(errors="replace"))
            if named and seed < images:
                write_image(folder / f"{named[0]}.png", seed)
                seed += 1
        source = OpenI(temporary, only_existing=True)
        items = [item for item in source.read().items if item.path]
        return compare(source, items)


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"unknown arguments: {argv[1:]}")
    tables = pathlib.Path(flags.FLAGS.tables)
    results = {name: of_release(name, tables, _IMAGES.value) for name in RELEASES}
    results["open_i"] = of_open_i(tables, _IMAGES.value)
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    app.run(main)
