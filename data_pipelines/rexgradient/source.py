# SPDX-License-Identifier: Apache-2.0
"""ReXGradient-160K as a source.

The folder holds `metadata/{train,valid,test}_metadata_view_position.json`, which name the images
of every study and hold its four sections, and the unpacked `deid_png/` (join the parts
`deid_png.part*` first). The tables `*_metadata.csv` have no image paths and are not read. There
are no labels: sentences have those of the project's labeler. Splits are the official ones; studies
are ordered by `StudyDate`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from etils import epath

from medst_jax.data_pipelines import cells
from medst_jax.data_pipelines.cells import CellError
from medst_jax.data_pipelines.listing.about import About
from medst_jax.data_pipelines.listing.chexpert_labels import CHEXPERT
from medst_jax.data_pipelines.listing.csv_table import TableError
from medst_jax.data_pipelines.listing.item import Item, Listing
from medst_jax.data_pipelines.listing.json_file import cell_of, read_json
from medst_jax.data_pipelines.listing.locate import FileLocator, folders_with
from medst_jax.data_pipelines.listing.one_split import keep_last_split
from medst_jax.data_pipelines.listing.source import ListedSource
from medst_jax.data_pipelines.raw import NAN, Reject

_FILES = {
    "train": "train_metadata_view_position.json",
    "val": "valid_metadata_view_position.json",
    "test": "test_metadata_view_position.json",
}
_IMAGES = "deid_png"
_DEPTH = 2
# Paths are relative to metadata/: "../deid_png/PATIENT/.../SOP.png". A part is never "..".
_PATH = re.compile(r"(?:\.\./)?(deid_png/(?:\w[\w.-]*/)+)(\w[\w.-]*)\.png", re.ASCII)
_SECTIONS = ("Indication", "Comparison", "Findings", "Impression")


@dataclass(frozen=True)
class RexGradient(ListedSource):
    """All images of the three files."""

    name: str = "rexgradient"

    about = About(
        licence="ReXGradient-160K Non-Commercial Data Access and Use Agreement",
        intensity="mimic_jpg",
        description="ReXGradient-160K: radiographs and reports of 79 sites, of Gradient Health "
        "(Zhang et al., arXiv:2505.00228)",
    )

    def read(self) -> Listing:
        folder = epath.Path(self.source_dir) / "metadata"
        paths = {split: folder / name for split, name in _FILES.items()}
        if not any(path.exists() for path in paths.values()):
            raise TableError(f"{folder} has none of {', '.join(_FILES.values())}")
        folders = folders_with(self.source_dir, (_IMAGES,), _DEPTH) or [""]
        images = FileLocator(self.source_dir, folders, (".png",))
        items: list[Item] = []
        rejects: list[Reject] = []
        for split, path in paths.items():
            if path.exists():
                for parsed in _rows(read_json(path, dict), split, images):
                    if isinstance(parsed, Reject):
                        rejects.append(Reject(parsed.row, f"{path.name}: {parsed.reason}"))
                    else:
                        items.append(parsed)
        of_last_split, torn = keep_last_split(items, tuple(_FILES))
        undated = len({item.study_id for item in of_last_split if item.day != item.day})
        return Listing(
            of_last_split, [*rejects, *torn], CHEXPERT, {"studies_without_date": undated}
        )


def _rows(entries: Mapping[str, Any], split: str, images: FileLocator) -> Iterator[Item | Reject]:
    """Items and rejects of a file; the row is the entry's place in it."""
    seen: set[str] = set()
    for number, entry in enumerate(entries.values(), 1):
        try:
            if not isinstance(entry, dict):
                raise CellError("entry is not a JSON object")
            patient = cells.needed(cell_of(entry.get("PatientID")), "PatientID")
            study = cells.needed(cell_of(entry.get("StudyInstanceUid")), "StudyInstanceUid")
            paths = entry.get("ImagePath")
            if not isinstance(paths, list) or not paths:
                raise CellError("ImagePath is not a list of images")
        except CellError as error:
            yield Reject(number, str(error))
            continue
        views = entry.get("ImageViewPosition")
        views = views if isinstance(views, list) else []
        day = _day(cell_of(entry.get("StudyDate")))
        texts = ((name, cells.known(cell_of(entry.get(name)))) for name in _SECTIONS)
        sections = tuple((name.upper(), text) for name, text in texts if text)
        for place, path in enumerate(paths):
            match = _PATH.fullmatch(cell_of(path))
            if match is None or match[2] in seen:
                reason = "occurs twice" if match else "is not ../deid_png/.../NAME.png"
                yield Reject(number, f"ImagePath {reason}")
                continue
            seen.add(match[2])
            view = cells.known(cell_of(views[place])) if place < len(views) else ""
            yield Item(
                row=number,
                patient_id=patient,
                study_id=study,
                image_id=match[2],
                path=images.find(match[1] + match[2]),
                view=cells.view(view, "unknown"),
                order=day,
                day=day,
                sections=sections,
                split=split,
                age=cells.age(cell_of(entry.get("PatientAge"))),
                sex=cells.sex(cell_of(entry.get("PatientSex"))),
            )


def _day(cell: str) -> float:
    """The day of a date; unknown in another notation, which costs a study its place in time only."""
    try:
        return cells.day(cell, "StudyDate")
    except CellError:
        return NAN
