# SPDX-License-Identifier: Apache-2.0
"""MIMIC-CXR 2.x as DICOM files with reports.

The folder holds `files/` (DICOM, and the reports) and `cxr-record-list.csv.gz`. The official split
is a table of MIMIC-CXR-JPG, which must be put beside it; that release's metadata and label tables
are used when present. Without the metadata, view, date and time come from the files' headers.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from medst_jax.data_pipelines import cells, dicom, image_files
from medst_jax.data_pipelines.listing.csv_table import find_table
from medst_jax.data_pipelines.listing.item import Item, Listing
from medst_jax.data_pipelines.mimic_cxr import tables
from medst_jax.data_pipelines.mimic_cxr.jpg import MimicCxrJpg, make_listing


@dataclass(frozen=True)
class MimicCxr(MimicCxrJpg):
    """All studies of the DICOM release."""

    name: str = "mimic_cxr"

    suffix = ".dcm"

    about = dataclasses.replace(
        MimicCxrJpg.about,
        intensity="mimic_jpg",
        description="MIMIC-CXR: radiographs (DICOM) and reports of Beth Israel Deaconess "
        "Medical Center (Johnson et al., Scientific Data 2019)",
    )

    def read(self) -> Listing:
        names = tables.METADATA if self._has_metadata else tables.RECORDS
        films, rejects = tables.read_films(self.source_dir, *names)
        split_of, refused = tables.read_splits(self.source_dir)
        return make_listing(self.source_dir, films, [*rejects, *refused], split_of, self.suffix)

    def complete(self, item: Item) -> Item:
        if self._has_metadata:
            return item
        header = dicom.read_header(image_files.read_bytes(self.source_dir, item.path))
        return dataclasses.replace(
            item, view=cells.view(header.view, "unknown"), order=header.day, day=header.day
        )

    @property
    def _has_metadata(self) -> bool:
        return find_table(self.source_dir, *tables.METADATA) is not None
