# SPDX-License-Identifier: Apache-2.0
"""Writes image tables for tests."""

import csv
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import simplejpeg

from medst_jax.data.records.keys import read_secret, secret_file
from medst_jax.data.records.patient_ids import read_patient_ids
from medst_jax.data.records.study import Study
from medst_jax.data_pipelines.build import BuildOptions, BuildResult, build
from medst_jax.data_pipelines.encode import Encoding
from medst_jax.data_pipelines.image_table.options import TableOptions
from medst_jax.data_pipelines.image_table.source import ImageTable
from medst_jax.data_pipelines.run_banks import Runner

COLUMNS = ("image_path", "patient_id", "labels", "report", "split")


def picture(seed: int = 0, height: int = 24, width: int = 16) -> np.ndarray:
    """uint8 [height, width]."""
    return np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)


def jpeg(pixels: np.ndarray) -> bytes:
    """Grey JPEG bytes."""
    return simplejpeg.encode_jpeg(pixels[:, :, None], quality=90, colorspace="GRAY")


def write_table(folder: Path, rows: list[dict[str, object]], **images: bytes) -> Path:
    """Writes metadata.csv and, for every row's image_path that is not in `images`, a JPEG."""
    columns = list(dict.fromkeys(key for row in rows for key in row)) or list(COLUMNS)
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "metadata.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)
    for k, row in enumerate(rows):
        path = str(row.get("image_path", ""))
        if path and "/" not in path and path not in images:
            (folder / path).write_bytes(jpeg(picture(k)))
    for path, data in images.items():
        (folder / path).write_bytes(data)
    return folder


def rows(count: int, **cells: object) -> list[dict[str, object]]:
    """`count` images of as many patients."""
    return [
        {"image_path": f"{k}.jpg", "patient_id": f"p{k}", "split": "train", **cells}
        for k in range(count)
    ]


def build_table(
    folder: Path,
    data_dir: Path,
    *,
    max_reject_fraction: float = 0.01,
    labels_from_reports: str = "",
    options: TableOptions | None = None,
    only_existing: bool = False,
    **encoding: object,
) -> BuildResult:
    """Builds the table in `folder` as data set "mine"."""
    source = ImageTable(
        str(folder),
        name="mine",
        labels_from_reports=labels_from_reports,
        options=options or TableOptions(),
        only_existing=only_existing,
    )
    chosen = {"intensity": source.card["intensity"], **encoding}
    options = BuildOptions(
        encoding=Encoding(**chosen),
        runner=Runner(workers=1),
        max_reject_fraction=max_reject_fraction,
    )
    return build(source, data_dir, options)


def key_of(data_dir: Path, namespace: str, *parts: str) -> int:
    """The key of an id under the secret of a data folder."""
    return read_secret(secret_file(data_dir)).key_of(namespace, *parts)


def ids_of(data_dir: Path, name: str, studies: Iterable[Study]) -> list[str]:
    """The patients of studies, as in the source."""
    ids = read_patient_ids(data_dir, name)
    return [ids[study.patient] for study in studies]
