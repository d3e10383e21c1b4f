# SPDX-License-Identifier: Apache-2.0
"""MS-CXR: phrases of eight findings with boxes.

The folder is a MIMIC-CXR-JPG (or MIMIC-CXR) one, of which only the images named are needed, with
`MS_CXR_Local_Alignment_v1.0.0.csv` or `_v1.1.0.csv`: category_name, label_text, path, x, y, w, h,
image_width, image_height, dicom_id and, since 1.1.0, split. A row is a box; the boxes of one image
and text are one phrase. Without the split everything is test.
"""

from __future__ import annotations

import dataclasses
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from etils import epath

from medst_jax.data.records.annotations import Annotation, Phrase
from medst_jax.data.records.studies import Studies
from medst_jax.data_pipelines import cells, image_files
from medst_jax.data_pipelines.cells import CellError
from medst_jax.data_pipelines.listing.about import About
from medst_jax.data_pipelines.listing.annotated import mimic_facts, places
from medst_jax.data_pipelines.listing.boxes import OUTSIDE, fit_box
from medst_jax.data_pipelines.listing.csv_table import CsvTable, TableRow, need_table
from medst_jax.data_pipelines.listing.item import Box, Item, Listing
from medst_jax.data_pipelines.listing.one_split import keep_last_split
from medst_jax.data_pipelines.listing.source import ListedSource
from medst_jax.data_pipelines.listing.splits import split_name
from medst_jax.data_pipelines.mimic_cxr import jpg, tables
from medst_jax.data_pipelines.raw import Reject

FINDINGS = (
    "Atelectasis",
    "Cardiomegaly",
    "Consolidation",
    "Edema",
    "Lung Opacity",
    "Pleural Effusion",
    "Pneumonia",
    "Pneumothorax",
)
_TABLES = ("MS_CXR_Local_Alignment_v1.1.0.csv", "MS_CXR_Local_Alignment_v1.0.0.csv")
_PATH = re.compile(r"(?:.*/)?p\d\d/p(\d+)/s(\d+)/([0-9a-f-]+)\.(?:jpg|dcm|png)", re.ASCII)
_SPLITS = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    subject: str
    study: str
    dicom: str
    text: str
    split: str
    box: Box
    frame: tuple[int, int] | None


@dataclass(frozen=True)
class MsCxr(ListedSource):
    """The images of the table as studies, and their phrases."""

    name: str = "ms_cxr"

    about = About(
        description="MS-CXR: phrases of radiology reports with boxes on MIMIC-CXR images "
        "(Boecking et al., ECCV 2022)",
        licence=jpg.LICENCE,
        namespace=jpg.NAMESPACE,
        evaluation_only=True,
    )

    @property
    def facts(self) -> Mapping[str, Any]:
        return mimic_facts(self._table, self._listing.items)

    def read(self) -> Listing:
        rows, rejects = self._rows
        suffix = image_suffix(
            self.source_dir, [film_path(r.subject, r.study, r.dicom) for r in rows]
        )
        items: dict[str, Item] = {}
        for row in rows:
            items.setdefault(
                row.dicom,
                Item(
                    row=row.line,
                    patient_id=row.subject,
                    study_id=row.study,
                    image_id=row.dicom,
                    path=film_path(row.subject, row.study, row.dicom) + suffix,
                    split=row.split,
                ),
            )
        of_last_split, torn = keep_last_split(items.values(), _SPLITS)
        return Listing(of_last_split, [*rejects, *torn], FINDINGS)

    def annotation_configs(self) -> Sequence[str]:
        return ("phrases",)

    def annotations(
        self, config: str, splits: Sequence[str], open_split: Callable[[str], Studies]
    ) -> Mapping[str, Iterable[Annotation]]:
        del config
        stored = places(splits, open_split)
        groups: dict[tuple[str, str, str], list[Box]] = defaultdict(list)
        for row in self._rows[0]:
            if row.dicom in stored:
                groups[row.dicom, row.box.finding, row.text].append(row.box)
        by_split: dict[str, list[Annotation]] = {split: [] for split in splits}
        for (dicom, finding, text), boxes in groups.items():
            place = stored[dicom]
            corners = np.array([(box.x0, box.y0, box.x1, box.y1) for box in boxes])
            phrase = Phrase(
                row=place.row,
                image=place.image,
                text=text,
                finding=finding,
                boxes=place.boxes(corners),
                masks=np.zeros(0, np.int32),
            )
            by_split[place.split].append(phrase)
        return by_split

    @property
    def _table(self) -> epath.Path:
        return need_table(self.source_dir, *_TABLES)

    @cached_property
    def _rows(self) -> tuple[list[_Row], list[Reject]]:
        columns = ("category_name", "label_text", "path", "x", "y", "w", "h")
        rows, rejects = CsvTable(self._table).need(*columns).parse(_parse)
        stems = [film_path(row.subject, row.study, row.dicom) for row in rows]
        suffix = image_suffix(self.source_dir, stems)
        sizes: dict[str, tuple[int, int] | None] = {}
        fitted = []
        for row, stem in zip(rows, stems, strict=True):
            if row.dicom not in sizes:
                sizes[row.dicom] = self._size(stem + suffix)
            size = sizes[row.dicom]
            box = row.box if size is None else fit_box(row.box, row.frame, size)
            if box is None:
                rejects.append(Reject(row.line, OUTSIDE))
            else:
                fitted.append(dataclasses.replace(row, box=box))
        return fitted, rejects

    def _size(self, path: str) -> tuple[int, int] | None:
        """(width, height) of a file; None where it cannot be read, which its image will say."""
        try:
            return image_files.read_size(image_files.read_bytes(self.source_dir, path))
        except image_files.UnreadableImage:
            return None


def _parse(row: TableRow) -> _Row:
    match = _PATH.fullmatch(row.get("path"))
    if match is None:
        raise CellError("path is not .../pNN/pSUBJECT/sSTUDY/DICOM")
    finding = cells.one_of(row.get("category_name"), FINDINGS, "category_name")
    x, y, w, h = (cells.number(cells.needed(row.get(c), c), c) for c in ("x", "y", "w", "h"))
    if w <= 0 or h <= 0:
        raise CellError("box without area")
    split = split_name(row.get("split")) or "test"
    width, height = (cells.number(row.get(c), c) for c in ("image_width", "image_height"))
    return _Row(
        line=row.line,
        subject=match[1],
        study=match[2],
        dicom=tables.dicom_id(match[3]),
        text=cells.needed(row.get("label_text"), "label_text"),
        split=cells.one_of(split, _SPLITS, "split"),
        box=Box(finding, x, y, x + w, y + h),
        frame=(int(width), int(height)) if width > 0 and height > 0 else None,
    )


def film_path(subject: str, study: str, dicom: str) -> str:
    """`files/p10/p10000032/s50414267/DICOM`, without the suffix."""
    return f"files/p{subject[:2]}/p{subject}/s{study}/{dicom}"


def image_suffix(source_dir: str, stems: Sequence[str]) -> str:
    """.dcm when the folder is one of DICOM files, else .jpg."""
    root = epath.Path(source_dir)
    return ".dcm" if any((root / f"{stem}.dcm").exists() for stem in stems[:200]) else ".jpg"
