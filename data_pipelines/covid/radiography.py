# SPDX-License-Identifier: Apache-2.0
"""COVID-19 Radiography Database: a folder of images per class.

The folder (or `COVID-19_Radiography_Dataset/` in it) holds COVID/, Lung_Opacity/, Normal/ and
Viral Pneumonia/, each with images/ (and masks/, which are not read), or the images themselves as
in the first releases. Patients are not named: every image is one, and the split is by hash.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from etils import epath

from medst_jax.data_pipelines.listing.about import About
from medst_jax.data_pipelines.listing.csv_table import TableError
from medst_jax.data_pipelines.listing.item import Item, Listing
from medst_jax.data_pipelines.listing.source import ListedSource

# Folder: class.
FOLDERS = {
    "COVID": "COVID-19",
    "Lung_Opacity": "Lung Opacity",
    "Normal": "Normal",
    "Viral Pneumonia": "Viral Pneumonia",
}
_RELEASE = "COVID-19_Radiography_Dataset"


@dataclass(frozen=True)
class CovidRadiography(ListedSource):
    """All images of the four classes."""

    name: str = "covid_radiography"

    about = About(
        licence="collected from sources with their own licences; not for commercial use",
        description="COVID-19 Radiography Database (Chowdhury et al., arXiv:2003.13145; "
        "Rahman et al., arXiv:2012.02238)",
    )

    def read(self) -> Listing:
        root = epath.Path(self.source_dir)
        base = root / _RELEASE if (root / _RELEASE).is_dir() else root
        missing = [name for name in FOLDERS if not (base / name).is_dir()]
        if missing:
            raise TableError(f"{base} has no folder {', '.join(missing)}")
        items = [item for folder in FOLDERS for item in _images(root, base, folder)]
        return Listing(items, [], tuple(FOLDERS.values()))


def _images(root: epath.Path, base: epath.Path, folder: str) -> Iterator[Item]:
    place = base / folder / "images"
    place = place if place.is_dir() else base / folder
    for file in sorted(place.iterdir(), key=str):
        if not file.name.lower().endswith((".png", ".jpg", ".jpeg")):
            continue
        identity = f"{folder}/{file.name.rsplit('.', 1)[0]}"
        yield Item(
            row=0,
            patient_id=identity,
            study_id=identity,
            image_id=identity,
            path=file.relative_to(root).as_posix(),
            labels={label: int(label == FOLDERS[folder]) for label in FOLDERS.values()},
        )
