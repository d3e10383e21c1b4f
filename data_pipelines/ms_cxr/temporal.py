# SPDX-License-Identifier: Apache-2.0
"""MS-CXR-T: how findings changed between two images, as radiologists see it.

The folder is a MIMIC-CXR-JPG (or MIMIC-CXR) one, of which only the images named and the metadata
table are needed, with `MS_CXR_T_temporal_image_classification_v1.0.0.csv`: subject_id, study_id,
previous_study_id, dicom_id, previous_dicom_id (ids, or paths that end in them) and, for each
finding, NAME_progression (improving, stable, worsening or blank) and optionally
NAME_label_quality. Findings of one pair that differ in quality become pairs of their own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from etils import epath

from medst_jax.data.records import schema
from medst_jax.data.records.annotations import QUALITIES, Annotation, ImagePair
from medst_jax.data.records.studies import Studies
from medst_jax.data_pipelines import cells
from medst_jax.data_pipelines.cells import CellError
from medst_jax.data_pipelines.listing.about import About
from medst_jax.data_pipelines.listing.annotated import mimic_facts, places
from medst_jax.data_pipelines.listing.csv_table import CsvTable, TableRow, need_table
from medst_jax.data_pipelines.listing.item import Item, Listing
from medst_jax.data_pipelines.listing.source import ListedSource
from medst_jax.data_pipelines.mimic_cxr import jpg, tables
from medst_jax.data_pipelines.ms_cxr.source import image_suffix
from medst_jax.data_pipelines.raw import Reject

# Column: finding.
COLUMNS = {
    "consolidation": "Consolidation",
    "edema": "Edema",
    "pleural_effusion": "Pleural Effusion",
    "pneumonia": "Pneumonia",
    "pneumothorax": "Pneumothorax",
}
FINDINGS = tuple(COLUMNS.values())
_PROGRESSION = {"improving": -1, "stable": 0, "worsening": 1, "": schema.BLANK}
_TABLE = "MS_CXR_T_temporal_image_classification_v1.0.0.csv"


@dataclass(frozen=True, slots=True)
class _Pair:
    line: int
    dicom: str
    prior: str
    # Finding: (progression, quality), of those that are stated.
    stated: Mapping[str, tuple[int, str]]


@dataclass(frozen=True)
class MsCxrT(ListedSource):
    """The images of the pairs as studies, and the pairs."""

    name: str = "ms_cxr_t"

    about = About(
        description="MS-CXR-T: progression of five findings between MIMIC-CXR images "
        "(Bannur et al., CVPR 2023)",
        licence=jpg.LICENCE,
        namespace=jpg.NAMESPACE,
        evaluation_only=True,
    )

    @property
    def facts(self) -> Mapping[str, Any]:
        return mimic_facts(self._table, self._listing.items)

    def read(self) -> Listing:
        pairs, rejects = self._pairs
        films, refused = tables.read_films(self.source_dir, *tables.METADATA)
        by_id = {film.dicom: film for film in films}
        lines = {dicom: pair.line for pair in pairs for dicom in (pair.prior, pair.dicom)}
        stems = [f"files/{by_id[d].study_folder}/{d}" for d in lines if d in by_id]
        suffix = image_suffix(self.source_dir, stems)
        items = []
        for dicom, line in lines.items():
            film = by_id.get(dicom)
            if film is None:
                rejects = [*rejects, Reject(line, "image is not in the metadata")]
                continue
            items.append(
                Item(
                    row=line,
                    patient_id=film.subject,
                    # A study of its own: what is judged is this image, not the study's first.
                    study_id=f"{film.study}/{dicom}",
                    image_id=dicom,
                    path=f"files/{film.study_folder}/{dicom}{suffix}",
                    view=cells.view(film.view, "frontal"),
                    order=film.day,
                    day=film.day,
                    split="test",
                )
            )
        metadata = [Reject(r.row, f"metadata: {r.reason}") for r in refused]
        return Listing(items, [*rejects, *metadata], FINDINGS)

    def annotation_configs(self) -> Sequence[str]:
        return ("image_pairs",)

    def annotations(
        self, config: str, splits: Sequence[str], open_split: Callable[[str], Studies]
    ) -> Mapping[str, Iterable[Annotation]]:
        del config
        stored = places(splits, open_split)
        records: list[Annotation] = []
        for pair in self._pairs[0]:
            if pair.dicom not in stored or pair.prior not in stored:
                continue
            current, prior = stored[pair.dicom], stored[pair.prior]
            for quality, codes in _by_quality(pair).items():
                records.append(
                    ImagePair(
                        row=current.row,
                        prior_row=prior.row,
                        image=current.image,
                        prior_image=prior.image,
                        progression=codes,
                        quality=quality,
                    )
                )
        return {"test": records}

    @property
    def _table(self) -> epath.Path:
        return need_table(self.source_dir, _TABLE)

    @cached_property
    def _pairs(self) -> tuple[list[_Pair], list[Reject]]:
        needed = [f"{column}_progression" for column in COLUMNS]
        table = CsvTable(self._table).need("dicom_id", "previous_dicom_id", *needed)
        return table.parse(_parse)


def _parse(row: TableRow) -> _Pair:
    stated = {}
    for column, finding in COLUMNS.items():
        word = row.get(f"{column}_progression").lower()
        if word not in _PROGRESSION:
            raise CellError("progression is not improving, stable, worsening or blank")
        quality = row.get(f"{column}_label_quality").lower().replace(" ", "_") or "consensus"
        if word:
            stated[finding] = (_PROGRESSION[word], cells.one_of(quality, QUALITIES, "quality"))
    if not stated:
        raise CellError("no progression is stated")
    return _Pair(
        line=row.line,
        dicom=tables.dicom_id(row.get("dicom_id")),
        prior=tables.dicom_id(row.get("previous_dicom_id")),
        stated=stated,
    )


def _by_quality(pair: _Pair) -> dict[str, np.ndarray]:
    codes: dict[str, np.ndarray] = defaultdict(
        lambda: np.full(len(FINDINGS), schema.BLANK, np.int8)
    )
    for finding, (code, quality) in pair.stated.items():
        codes[quality][FINDINGS.index(finding)] = code
    return codes
