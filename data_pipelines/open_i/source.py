# SPDX-License-Identifier: Apache-2.0
"""Open-i / IU X-ray as a source.

The folder holds `NLMCXR_reports.tgz` or its `ecgen-radiology/`, and the images: PNG in
`NLMCXR_png/` (or in the folder itself), else DICOM in `NLMCXR_dcm/`. Views come, in this order,
from `indiana_projections.csv` (filename, projection), from `nlmcxr_dicom_metadata.csv` (imageid,
View Position), from DICOM headers; an image of unknown view is `other`. One report is a patient;
the split is by hash. Reports without images stay as text. Labels are the manual MeSH tags; a
report that was never tagged has none.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from etils import epath

from medst_jax.data_pipelines import cells, dicom, image_files
from medst_jax.data_pipelines.listing.about import About
from medst_jax.data_pipelines.listing.chexpert_labels import CHEXPERT
from medst_jax.data_pipelines.listing.csv_table import CsvTable, TableRow, find_table
from medst_jax.data_pipelines.listing.item import Item, Listing
from medst_jax.data_pipelines.listing.source import ListedSource
from medst_jax.data_pipelines.open_i import mesh, reports
from medst_jax.data_pipelines.open_i.reports import TaggedReport
from medst_jax.data_pipelines.raw import Reject

_FOLDERS = ("NLMCXR_png", "images/images_normalized", "NLMCXR_dcm", "")
_SUFFIXES = (".png", ".dcm", ".dcm.png", ".jpg")


@dataclass(frozen=True)
class OpenI(ListedSource):
    """All reports of the collection."""

    name: str = "open_i"

    about = About(
        licence="CC BY-NC-ND 4.0",
        description="Open-i: reports and radiographs of Indiana University with manual "
        "MeSH tags (Demner-Fushman et al., JAMIA 2016)",
    )

    @property
    def facts(self) -> Mapping[str, Any]:
        # PNG files are 8-bit already; DICOM ones are not.
        return {"intensity": "mimic_jpg" if self._has_dicom else "none"}

    def read(self) -> Listing:
        parsed, rejects = reports.read_reports(self.source_dir)
        views, refused = read_views(self.source_dir)
        items = [item for report in parsed for item in self._items(report, views)]
        return Listing(items, [*rejects, *refused], CHEXPERT)

    def complete(self, item: Item) -> Item:
        if item.view != "other" or not item.path.endswith(".dcm"):
            return item
        header = dicom.read_header(image_files.read_bytes(self.source_dir, item.path))
        return dataclasses.replace(item, view=cells.view(header.view, "unknown"))

    def _items(self, report: TaggedReport, views: Mapping[str, str]) -> Iterator[Item]:
        identity = f"CXR{report.number}"
        present = mesh.findings(report.tags)
        tagged = report.tags and not set(report.tags) & set(mesh.UNTAGGED)
        item = Item(
            row=report.number,
            patient_id=identity,
            study_id=identity,
            image_id=identity,
            sections=report.sections,
            labels={name: int(name in present) for name in CHEXPERT} if tagged else {},
        )
        keys = {image: image_key(image) for image in report.images}
        placed = [(image, self._files[key]) for image, key in keys.items() if key in self._files]
        for image, path in placed:
            view = views.get(keys[image], "other")
            yield dataclasses.replace(item, image_id=image, path=path, view=view)
        if not placed:
            yield item

    @cached_property
    def _files(self) -> Mapping[str, str]:
        """Path of every image file by its key; a PNG is preferred to a DICOM file."""
        paths: dict[str, str] = {}
        root = epath.Path(self.source_dir)
        for folder in _FOLDERS:
            if (root / folder).is_dir():
                for file in sorted(_below(root / folder), key=str):
                    path = file.relative_to(root).as_posix()
                    paths.setdefault(image_key(path), path)
        return paths

    @property
    def _has_dicom(self) -> bool:
        return any(path.endswith(".dcm") for path in self._files.values())


def _below(folder: epath.Path) -> Iterator[epath.Path]:
    """Image files of a folder and, as the DICOM archive has them, of numbered folders in it."""
    for entry in folder.iterdir():
        if entry.name.endswith(_SUFFIXES):
            yield entry
        elif re.fullmatch(r"\d+", entry.name) and entry.is_dir():
            yield from (file for file in entry.iterdir() if file.name.endswith(_SUFFIXES))


def image_key(name: str) -> str:
    """1_IM-0001-3001 from any of the ways in which the reports and copies name that image.

    >>> image_key("CXR1_1_IM-0001-3001"), image_key("1/1_IM-0001-3001.dcm.png")
    ('1_IM-0001-3001', '1_IM-0001-3001')
    """
    match = re.search(r"(?:^|/)(?:CXR)?(\d+)(?:_\d+)?(_IM-[\d-]+)[^/]*$", name)
    return match[1] + match[2] if match else name


def read_views(source_dir: epath.PathLike) -> tuple[dict[str, str], list[Reject]]:
    """View of every image by its key."""
    views: dict[str, str] = {}
    rejects: list[Reject] = []
    for name, image, column in (
        ("nlmcxr_dicom_metadata.csv", "imageid", "View Position"),
        ("indiana_projections.csv", "filename", "projection"),
    ):
        path = find_table(source_dir, name)
        if path is None:
            continue

        def parse(row: TableRow, image: str = image, column: str = column) -> tuple[str, str]:
            word = row.get(column)
            kind = word if word.lower() in ("frontal", "lateral") else "unknown"
            return image_key(row.get(image)), cells.view("" if kind == word else word, kind)

        pairs, refused = CsvTable(path).need(image, column).parse(parse)
        views.update(pairs)
        rejects += [Reject(r.row, f"{name}: {r.reason}") for r in refused]
    return views, rejects
