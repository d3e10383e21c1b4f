# SPDX-License-Identifier: Apache-2.0
"""Items of DICOM files without metadata tables: view, sex and age come from the header."""

from __future__ import annotations

import dataclasses
import math

from medst_jax.data_pipelines import cells, dicom, image_files
from medst_jax.data_pipelines.listing.item import Item


def from_header(source_dir: str, item: Item) -> Item:
    """The item with its file's view, sex and age where its own are unknown.

    Raises:
      UnreadableImage: the file is missing or its header is damaged.
    """
    header = dicom.read_header(image_files.read_bytes(source_dir, item.path))
    return dataclasses.replace(
        item,
        view=cells.view(header.view, "frontal"),
        sex=item.sex or header.sex,
        age=header.age if math.isnan(item.age) else item.age,
    )
