# SPDX-License-Identifier: Apache-2.0
"""NIH ChestX-ray14 as a source; `tables` describes the folder.

Every image is a study, ordered by its follow-up number. Without the official lists, the split is
by hash of the patient.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from medst_jax.data_pipelines.listing.about import About
from medst_jax.data_pipelines.listing.item import Listing
from medst_jax.data_pipelines.listing.source import BOXES, ListedSource
from medst_jax.data_pipelines.nih_chestxray14 import tables


@dataclass(frozen=True)
class NihChestXray14(ListedSource):
    """All images of the release."""

    name: str = "nih_chestxray14"

    truth_features = BOXES
    box_frame = (1024, 1024)

    about = About(
        licence="no restrictions; credit the NIH Clinical Center",
        redistributable=True,
        namespace=tables.NAMESPACE,
        description="NIH ChestX-ray14: radiographs of the NIH Clinical Center with labels "
        "mined from reports (Wang et al., CVPR 2017)",
    )

    def read(self) -> Listing:
        items, rejects = tables.read_images(self.source_dir)
        official = tables.official_split(self.source_dir)
        path_of = tables.folders(self.source_dir)
        placed = [
            dataclasses.replace(
                item,
                path=path_of.get(item.image_id, f"images/{item.image_id}"),
                split=tables.split_of(item, official) if official else "",
            )
            for item in items
        ]
        return Listing(placed, rejects, tables.LABELS)
