# SPDX-License-Identifier: Apache-2.0
"""The covid-chestxray-dataset of ieee8023: cases from publications, with notes.

The folder is the repository's: `metadata.csv` and `images/`. A study is a patient's images of one
day (`offset`); its text is `clinical_notes`. `finding` is a path such as
Pneumonia/Viral/COVID-19: every step is positive, the vocabulary's others negative; `todo` and
`Unknown` leave the labels open. CT slices are left out and counted. The split is by hash.
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from dataclasses import dataclass

from medst_jax.data.records import schema
from medst_jax.data_pipelines import cells
from medst_jax.data_pipelines.listing.about import About
from medst_jax.data_pipelines.listing.csv_table import CsvTable, TableRow, need_table
from medst_jax.data_pipelines.listing.item import Item, Listing
from medst_jax.data_pipelines.listing.source import ListedSource

_OPEN = frozenset(["", "todo", "Unknown"])


@dataclass(frozen=True)
class _Row:
    item: Item
    steps: tuple[str, ...]
    modality: str
    licence: str


@dataclass(frozen=True)
class CovidChestXray(ListedSource):
    """All radiographs of the collection."""

    name: str = "covid_chestxray"

    about = About(
        description="covid-chestxray-dataset: published COVID-19 and other pneumonia cases "
        "(Cohen et al., arXiv:2006.11988)"
    )

    def read(self) -> Listing:
        table = CsvTable(need_table(self.source_dir, "metadata.csv"))
        rows, rejects = table.need("patientid", "finding", "view", "filename").parse(_parse)
        left_out = Counter(row.modality for row in rows if row.modality not in ("X-ray", ""))
        radiographs = [row for row in rows if row.modality in ("X-ray", "")]
        labels = tuple(sorted({step for row in radiographs for step in row.steps} - _OPEN))
        unlabelled = dict.fromkeys(labels, schema.OUTSIDE)
        items = [
            dataclasses.replace(
                row.item,
                labels=unlabelled
                if set(row.steps) & _OPEN
                else {label: int(label in row.steps) for label in labels},
            )
            for row in radiographs
        ]
        licences = "; ".join(sorted({row.licence for row in radiographs} - {""}))
        card = {"licence": f"per image: {licences}", "left_out": dict(left_out)}
        return Listing(items, rejects, labels, card)


def _parse(row: TableRow) -> _Row:
    patient = cells.needed(row.get("patientid"), "patientid")
    file = cells.needed(row.get("filename"), "filename")
    day = cells.number(row.get("offset"), "offset")
    item = Item(
        row=row.line,
        patient_id=patient,
        study_id=file if math.isnan(day) else f"{patient} day {day:g}",
        image_id=file,
        path=f"{row.get('folder') or 'images'}/{file}",
        view=cells.view(row.get("view"), "unknown"),
        day=day,
        report=row.get("clinical_notes"),
        age=cells.age(row.get("age")),
        sex=cells.sex(row.get("sex")),
    )
    steps = tuple(step.strip() for step in row.get("finding").split("/"))
    return _Row(item, steps, row.get("modality"), row.get("license"))
