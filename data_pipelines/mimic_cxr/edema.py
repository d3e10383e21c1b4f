# SPDX-License-Identifier: Apache-2.0
"""The MIMIC-CXR studies with a grade of pulmonary edema, for training and judging severity.

Put the tables of `medst_jax.data_pipelines.mimic_cxr.severity` into a MIMIC-CXR-JPG folder. Patients with a
consensus grade are the test set; 10% of the others, by hash, are for validation.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from medst_jax.data_pipelines.listing import splits
from medst_jax.data_pipelines.listing.csv_table import TableError
from medst_jax.data_pipelines.listing.item import Listing
from medst_jax.data_pipelines.mimic_cxr.jpg import MimicCxrJpg
from medst_jax.data_pipelines.mimic_cxr.severity import CONSENSUS


@dataclass(frozen=True)
class MimicEdema(MimicCxrJpg):
    """All graded studies."""

    name: str = "mimic_edema"

    about = dataclasses.replace(
        MimicCxrJpg.about,
        description="MIMIC-CXR studies with grades of pulmonary edema (Liao et al., "
        "arXiv:1902.10785; Horng et al., arXiv:2008.05975)",
    )

    def read(self) -> Listing:
        listing = super().read()
        graded = [item for item in listing.items if item.severity >= 0]
        if not graded:
            raise TableError(
                f"{self.source_dir} has no grades: put regex_report_, expert_report_ or "
                "consensus_image_edema_severity.csv beside the other tables"
            )
        # A consensus is about one image: the study's others would be judged by its grade.
        by_image = {item.study_id for item in graded if item.severity_source == CONSENSUS}
        judged = {item.patient_id for item in graded if item.severity_source == CONSENSUS}
        items = [
            dataclasses.replace(
                item,
                split="test" if item.patient_id in judged else splits.hold_out(item.patient_id),
            )
            for item in graded
            if item.study_id not in by_image or item.severity_source == CONSENSUS
        ]
        return dataclasses.replace(listing, items=items)
