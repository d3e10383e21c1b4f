# SPDX-License-Identifier: Apache-2.0
"""PadChest-GR (release 2024-08-19) as a source, with phrases and image pairs.

The folder holds `grounded_reports_20240819.json` (sentences), `master_table.csv` (patients,
splits, sex, age, dates) and the 16-bit PNG images, unpacked anywhere at most three folders deep: the
parts `PadChest_GR.zip.001` to `.037`, joined, are one zip file. Prior images are stored where they are
there, without a report. Ids are PadChest's. `padchest_gr` has the English sentences, `padchest_gr_es`
the Spanish ones, which unlike PadChest's own reports are whole.

Labels are those of the abnormal sentences, positive or not mentioned; `normal` is 1 where no
sentence is abnormal, else 0. Boxes of a second reading (`extra_boxes`) are not read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from etils import epath

from medst_jax.data.records import schema
from medst_jax.data.records.annotations import Annotation, ImagePair, Phrase
from medst_jax.data.records.studies import Studies
from medst_jax.data_pipelines import cells
from medst_jax.data_pipelines.listing.about import About
from medst_jax.data_pipelines.listing.annotated import places, tables_hash
from medst_jax.data_pipelines.listing.csv_table import CsvTable, TableRow, need_table
from medst_jax.data_pipelines.listing.item import Item, Listing
from medst_jax.data_pipelines.listing.locate import FileLocator, all_folders
from medst_jax.data_pipelines.listing.source import ListedSource
from medst_jax.data_pipelines.listing.splits import split_name
from medst_jax.data_pipelines.padchest.source import NAMESPACE
from medst_jax.data_pipelines.padchest_gr.reports import (
    FILE,
    Finding,
    GroundedStudy,
    read_reports,
)
from medst_jax.data_pipelines.raw import Reject

NORMAL = "normal"
_TABLE = "master_table.csv"
_SPLITS = ("train", "validation", "test")
_DEPTH = 3
_BEFORE = 0.5  # days: a prior image has no date


@dataclass(frozen=True, slots=True)
class _Patient:
    """What the master table says of an image."""

    patient: str
    split: str
    day: float
    age: float
    sex: str


@dataclass(frozen=True)
class PadChestGr(ListedSource):
    """All studies of the file that the master table has."""

    name: str = "padchest_gr"
    language: str = "en"

    about = About(
        licence="BIMCV research use agreement",
        intensity="mimic_jpg",
        namespace=NAMESPACE,
        description="PadChest-GR: radiographs with reports of grounded sentences "
        "(Castro et al., arXiv:2411.05085)",
    )

    @property
    def facts(self) -> Mapping[str, Any]:
        return {"tables_hash": tables_hash(epath.Path(self.source_dir) / FILE, self._table)}

    def read(self) -> Listing:
        studies, rejects = self._reports
        patients, refused = self._patients()
        rejects = [*rejects, *refused]
        findings = [finding for study in studies for finding in study.findings]
        vocabulary = tuple(sorted({NORMAL}.union(*(_labels(finding) for finding in findings))))
        images = FileLocator(self.source_dir, all_folders(self.source_dir, _DEPTH), ("",))
        items = {}
        for study in studies:
            about = patients.get(study.image)
            if about is None:
                rejects.append(Reject(study.number, "image is not in the master table"))
                continue
            items[study.image] = Item(
                row=study.number,
                patient_id=about.patient,
                study_id=study.study,
                image_id=study.image,
                path=images.find(study.image),
                view=cells.view("", "frontal"),
                order=about.day,
                day=about.day,
                sections=_sections(study, self.language),
                labels=_codes(study, vocabulary),
                split=about.split,
                age=about.age,
                sex=about.sex,
                language=self.language,
            )
        priors = {s.prior_image: s for s in studies if s.prior_image and s.image in items}
        absent = 0
        for image, study in priors.items():
            path = images.find(image)
            if image in items:
                continue
            if not self._exists(path):
                absent += 1
                continue
            about = patients[study.image]
            items[image] = Item(
                row=study.number,
                patient_id=about.patient,
                study_id=study.prior_study or image,
                image_id=image,
                path=path,
                view=cells.view("", "frontal"),
                order=about.day - _BEFORE,
                split=about.split,
                sex=about.sex,
            )
        card = {
            "prior_images_not_in_the_folder": absent,
            "progression_in_unknown_words": sum(f.unknown_word for f in findings),
        }
        return Listing(list(items.values()), rejects, vocabulary, card)

    def annotation_configs(self) -> Sequence[str]:
        return ("phrases", "image_pairs")

    def annotations(
        self, config: str, splits: Sequence[str], open_split: Callable[[str], Studies]
    ) -> Mapping[str, Iterable[Annotation]]:
        stored = places(splits, open_split)
        by_split: dict[str, list[Annotation]] = {split: [] for split in splits}
        for study in self._reports[0]:
            place = stored.get(study.image)
            if place is None:
                continue
            if config == "phrases":
                by_split[place.split] += [
                    Phrase(
                        row=place.row,
                        image=place.image,
                        text=finding.text[self.language],
                        finding=next(iter(finding.labels), ""),
                        boxes=place.boxes_of_fractions(np.array(finding.boxes)),
                        masks=np.zeros(0, np.int32),
                    )
                    for finding in study.findings
                    if finding.boxes and finding.text[self.language]
                ]
                continue
            prior = stored.get(study.prior_image)
            codes = _progression(study, self.labels)
            if prior is not None and (codes != schema.BLANK).any():
                by_split[place.split].append(
                    ImagePair(
                        row=place.row,
                        prior_row=prior.row,
                        image=place.image,
                        prior_image=prior.image,
                        progression=codes,
                        # What a report says, which is not to have compared the two images.
                        quality="mined",
                    )
                )
        return by_split

    @property
    def _table(self) -> epath.Path:
        return need_table(self.source_dir, _TABLE)

    @cached_property
    def _reports(self) -> tuple[list[GroundedStudy], list[Reject]]:
        return read_reports(self.source_dir)

    def _patients(self) -> tuple[dict[str, _Patient], list[Reject]]:
        table = CsvTable(self._table).need("ImageID", "PatientID", "split")
        pairs, rejects = table.parse(_patient)
        return dict(pairs), [Reject(r.row, f"master table: {r.reason}") for r in rejects]


def _patient(row: TableRow) -> tuple[str, _Patient]:
    date = row.get("StudyDate_DICOM") or row.get("StudyDate")
    return row.get("ImageID"), _Patient(
        patient=cells.needed(row.get("PatientID").removesuffix(".0"), "PatientID"),
        split=split_name(cells.one_of(row.get("split"), _SPLITS, "split")),
        day=cells.day(date, "StudyDate_DICOM"),
        age=cells.age(row.get("PatientAge")),
        sex=cells.sex(row.get("PatientSex_DICOM")),
    )


def _labels(finding: Finding) -> tuple[str, ...]:
    return finding.labels if finding.abnormal else ()


def _codes(study: GroundedStudy, vocabulary: Sequence[str]) -> dict[str, int]:
    if not study.findings:
        return {}
    present = set().union(*map(_labels, study.findings))
    codes = {name: 1 if name in present else schema.BLANK for name in vocabulary}
    return {**codes, NORMAL: int(not any(finding.abnormal for finding in study.findings))}


def _sections(study: GroundedStudy, language: str) -> tuple[tuple[str, str], ...]:
    """The sentences as findings; a full stop is put where one lacks it."""
    texts = (finding.text[language] for finding in study.findings)
    whole = " ".join(
        text if text.endswith((".", "!", "?")) else f"{text}." for text in texts if text
    )
    return (("FINDINGS", whole),) if whole else ()


def _progression(study: GroundedStudy, labels: Sequence[str]) -> np.ndarray:
    """int8 [C]; -2 too where two sentences about one label differ."""
    stated: dict[str, set[int]] = {}
    for finding in study.findings:
        if finding.progression is not None:
            for label in _labels(finding):
                stated.setdefault(label, set()).add(finding.progression)
    codes = (stated.get(label, {schema.BLANK}) for label in labels)
    return np.array([min(c) if len(c) == 1 else schema.BLANK for c in codes], np.int8)
