# SPDX-License-Identifier: Apache-2.0
"""MIMIC-CXR-JPG, with the reports of MIMIC-CXR when they are there.

The folder holds `files/` (images, and `mimic-cxr-reports.zip` unpacked over it) and the tables of
`medst_jax.data_pipelines.mimic_cxr.tables`. Splits are the official ones; studies are ordered by date and
time; a study without a row in the label table has every label outside its vocabulary.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from etils import epath

from medst_jax.data_pipelines import cells
from medst_jax.data_pipelines.listing import class_balance
from medst_jax.data_pipelines.listing.about import About
from medst_jax.data_pipelines.listing.chexpert_labels import CHEXPERT
from medst_jax.data_pipelines.listing.class_balance import five_by_200
from medst_jax.data_pipelines.listing.csv_table import TableError
from medst_jax.data_pipelines.listing.item import Item, Listing
from medst_jax.data_pipelines.listing.source import ListedSource
from medst_jax.data_pipelines.mimic_cxr import reports, severity, tables
from medst_jax.data_pipelines.mimic_cxr.tables import Film
from medst_jax.data_pipelines.raw import Reject

NAMESPACE = "mimic-cxr"
LICENCE = "PhysioNet Credentialed Health Data License 1.5.0"


@dataclass(frozen=True)
class MimicCxrJpg(ListedSource):
    """All studies of the release."""

    name: str = "mimic_cxr_jpg"

    suffix = ".jpg"

    about = About(
        licence=LICENCE,
        namespace=NAMESPACE,
        description="MIMIC-CXR-JPG: radiographs and reports of Beth Israel Deaconess "
        "Medical Center (Johnson et al., arXiv:1901.07042)",
    )

    def read(self) -> Listing:
        films, rejects = tables.read_films(self.source_dir, *tables.METADATA)
        split_of, refused = tables.read_splits(self.source_dir)
        return make_listing(self.source_dir, films, [*rejects, *refused], split_of, self.suffix)


def make_listing(
    source_dir: str,
    films: list[Film],
    rejects: list[Reject],
    split_of: Mapping[str, str],
    suffix: str,
) -> Listing:
    """Joins images with splits, labels, reports and severities."""
    labels, refused, label_table = tables.read_labels(source_dir)
    read_by_radiologists, unread = tables.read_radiologists(source_dir)
    labels = {**labels, **read_by_radiologists}
    radiologists, refused = len(read_by_radiologists), [*refused, *unread]
    grades, ungraded = severity.read_grades(source_dir)
    paths = reports.ReportPaths(source_dir)
    sectioned: Mapping[str, tuple[tuple[str, str], ...]] = {}
    reported = [paths.of(film) for film in films]
    if not all(reported):
        sectioned, unread = reports.read_sectioned(source_dir)
        refused = [*refused, *unread]
        if not sectioned:
            reports.check_read(source_dir, paths)
    items = []
    missing = [Reject(f.row, "image without a split") for f in films if f.dicom not in split_of]
    for film, report in zip(films, reported, strict=True):
        if film.dicom not in split_of:
            continue
        grade = grades.get((film.study, film.dicom)) or grades.get((film.study, ""))
        items.append(
            Item(
                row=film.row,
                patient_id=film.subject,
                study_id=film.study,
                image_id=film.dicom,
                path=f"files/{film.study_folder}/{film.dicom}{suffix}",
                view=cells.view(film.view, "unknown"),
                order=film.day,
                day=film.day,
                report_path=report,
                sections=() if report else sectioned.get(film.study, ()),
                labels=labels.get(film.study, {}),
                split=split_of[film.dicom],
                severity=grade.severity if grade else -1,
                severity_source=grade.source if grade else "",
            )
        )
    card = {
        "label_table": label_table,
        "reports_found": paths.found,
        "studies_labelled_by_radiologists": radiologists,
    }
    return Listing(items, [*rejects, *refused, *ungraded, *missing], CHEXPERT, card)


@dataclass(frozen=True)
class Mimic5x200(MimicCxrJpg):
    """200 images of each of five classes; see `medst_jax.data_pipelines.listing.class_balance`."""

    name: str = "mimic_5x200"
    rule: str = "published"

    about = dataclasses.replace(
        MimicCxrJpg.about,
        evaluation_only=True,
        description="MIMIC-5x200: 200 frontal images for each of five classes (as in "
        "arXiv:2504.05227)",
    )

    def read(self) -> Listing:
        listing = super().read()
        if not listing.card["label_table"]:
            raise TableError(
                f"{self.source_dir} has no label table, which {self.name} is drawn by: add "
                f"{tables.LABEL_TABLES[0]}.gz"
            )
        return five_by_200(
            listing,
            rule=self.rule,
            published=class_balance.mimic,
            released=epath.Path(self.source_dir) / "mimic_5x200.csv",
            name_of=_dicom_of,
        )


def _dicom_of(path: str) -> str:
    return path.rsplit("/", 1)[-1].removesuffix(".jpg").removesuffix(".dcm")
