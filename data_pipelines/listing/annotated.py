# SPDX-License-Identifier: Apache-2.0
"""What pipelines with records beside their studies share: finding images as they were stored."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from etils import epath

from medst_jax.data.records.studies import Studies
from medst_jax.data_pipelines.listing.item import Item


@dataclass(frozen=True)
class Place:
    """Where a stored image is: its split, the row of its study, its number in the study.

    affine: float32 [2, 3], stored from source pixels. height, width: of the source, in pixels.
    """

    split: str
    row: int
    image: int
    affine: np.ndarray
    height: int
    width: int

    def boxes(self, corners: np.ndarray) -> np.ndarray:
        """float32 [K, 4] in stored pixels, of corners [K, 4] (x0, y0, x1, y1) in source pixels."""
        points = np.asarray(corners, np.float64).reshape(-1, 2, 2)
        moved = points @ self.affine[:, :2].T + self.affine[:, 2]
        return moved.reshape(-1, 4).astype(np.float32)

    def boxes_of_fractions(self, corners: np.ndarray) -> np.ndarray:
        """As `boxes`, of corners in 0 to 1 of the image's width and height."""
        sides = (self.width, self.height, self.width, self.height)
        return self.boxes(np.asarray(corners, np.float64) * sides)


def places(splits: Sequence[str], open_split: Callable[[str], Studies]) -> dict[str, Place]:
    """The place of every stored image by its id."""
    by_image = {}
    for split in splits:
        studies = open_split(split)
        for row in range(len(studies)):
            for number, image in enumerate(studies[row].images):
                by_image[image.image_id] = Place(
                    split, row, number, image.affine, image.height, image.width
                )
    return by_image


def tables_hash(*paths: epath.Path | None) -> str:
    """SHA-256 of tables, which a card holds so that a changed one is written again."""
    state = hashlib.sha256()
    for path in paths:
        state.update(b"none" if path is None else hashlib.sha256(path.read_bytes()).digest())
    return state.hexdigest()


def mimic_facts(table: epath.Path, items: Iterable[Item]) -> Mapping[str, Any]:
    """Facts of a set that annotates MIMIC-CXR's images: its table, and how the images' greys became 8 bits."""
    dicom = all(item.path.endswith(".dcm") for item in items)
    return {"tables_hash": tables_hash(table), "intensity": "mimic_jpg" if dicom else "none"}
