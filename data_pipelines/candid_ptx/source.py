# SPDX-License-Identifier: Apache-2.0
"""CANDID-PTX as a source.

| file | columns |
|---|---|
| Pneumothorax_reports.csv | SOPInstanceUID, StudyInstanceUID, EncodedPixels, Report: one row per mask |
| chest_tube.csv, acute_rib_fracture.csv or Rib_fracture_mask_rle.csv | anon_SOPUID or SOPInstanceUID: one row per mask |
| dataset/SOPInstanceUID | DICOM files without a suffix; with `.dcm` they are found too |

EncodedPixels is run lengths, -1 for no pneumothorax, empty where nobody said. An image with a mask of
a tube or a fracture has it; of the others nobody said. Masks themselves are not read.
No patients are published: a study stands for one, and the split is by its hash.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from medst_jax.data_pipelines import cells
from medst_jax.data_pipelines.cells import CellError
from medst_jax.data_pipelines.listing.about import About
from medst_jax.data_pipelines.listing.chexpert_labels import CHEXPERT
from medst_jax.data_pipelines.listing.csv_table import (
    CsvTable,
    TableError,
    TableRow,
    find_table,
    need_table,
)
from medst_jax.data_pipelines.listing.dicom_items import from_header
from medst_jax.data_pipelines.listing.item import Item, Listing
from medst_jax.data_pipelines.listing.locate import FileLocator
from medst_jax.data_pipelines.listing.source import ListedSource
from medst_jax.data_pipelines.raw import Reject

_TABLE = "Pneumothorax_reports.csv"
# Class: tables of its masks.
_OTHERS = {
    "Support Devices": ("chest_tube.csv",),
    "Fracture": ("acute_rib_fracture.csv", "Rib_fracture_mask_rle.csv"),
}
_ID_COLUMNS = ("anon_SOPUID", "SOPInstanceUID")
_FOLDERS = ("dataset", "", "images")
_NONE = "-1"
_CAUTIONS = {
    "patients unknown": "no patients were published: images of one patient may lie on both sides "
    "of a split"
}


@dataclass
class _Image:
    """What the rows of one image say. masks: of the rows that say so, whether they have one."""

    line: int
    study: str
    report: str = ""
    masks: list[bool] = field(default_factory=list)


@dataclass(frozen=True)
class CandidPtx(ListedSource):
    """All images of the table of reports."""

    name: str = "candid_ptx"

    about = About(
        licence="CANDID-PTX data use agreement (ethics course required)",
        intensity="mimic_jpg",
        description="CANDID-PTX: radiographs and reports of Dunedin Hospital with pneumothorax, chest "
        "tubes and rib fractures (Feng et al., Radiology: Artificial Intelligence 2021)",
    )

    def read(self) -> Listing:
        table = CsvTable(need_table(self.source_dir, _TABLE)).need(
            "SOPInstanceUID", "StudyInstanceUID", "EncodedPixels", "Report"
        )
        images: dict[str, _Image] = {}
        _, rejects = table.parse(lambda row: _add(row, images))
        others = {}
        for label, names in _OTHERS.items():
            others[label], refused = self._with_mask(names)
            rejects += refused
        files = FileLocator(self.source_dir, _FOLDERS, ("", ".dcm"))
        items = [
            Item(
                row=image.line,
                patient_id=image.study,
                study_id=image.study,
                image_id=uid,
                path=files.find(uid),
                report=image.report,
                labels=_codes(uid, image, others),
            )
            for uid, image in images.items()
        ]
        return Listing(items, rejects, CHEXPERT, {"cautions": _CAUTIONS})

    def complete(self, item: Item) -> Item:
        return from_header(self.source_dir, item)

    def _with_mask(self, names: tuple[str, ...]) -> tuple[set[str], list[Reject]]:
        """Images of a table of masks; none without the table."""
        path = find_table(self.source_dir, *names)
        if path is None:
            return set(), []
        table = CsvTable(path)
        column = next((name for name in _ID_COLUMNS if name in table.names), "")
        if not column:
            raise TableError(f"{path} has none of the columns {', '.join(_ID_COLUMNS)}")
        uids, rejects = table.parse(lambda row: cells.file_stem(row.get(column), column))
        return set(uids), [Reject(r.row, f"{path.name}: {r.reason}") for r in rejects]


def _add(row: TableRow, images: dict[str, _Image]) -> None:
    """Puts a row to those of its image."""
    uid = cells.file_stem(row.get("SOPInstanceUID"), "SOPInstanceUID")
    study = cells.needed(row.get("StudyInstanceUID"), "StudyInstanceUID")
    image = images.setdefault(uid, _Image(row.line, study))
    if image.study != study:
        raise CellError("image of another study")
    image.report = image.report or row.get("Report")
    if code := row.get("EncodedPixels"):
        image.masks.append(code != _NONE)


def _codes(uid: str, image: _Image, others: Mapping[str, Collection[str]]) -> dict[str, int]:
    codes = {label: 1 for label, uids in others.items() if uid in uids}
    if image.masks:
        codes["Pneumothorax"] = int(any(image.masks))
    return codes
