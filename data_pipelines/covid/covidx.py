# SPDX-License-Identifier: Apache-2.0
"""COVIDx of COVID-Net, version 4 to 9.

The folder holds train.txt, test.txt and, since version 8, val.txt (or the same names with a
version, such as train_COVIDx9A.txt), one `patient_id file class source` per line, and the images
in train/, test/ and val/. Classes are normal, pneumonia and COVID-19, or, since version 8,
positive and negative. Without a val.txt, 10% of the training patients, by hash, are for validation
(published work holds out images, not patients). A patient of several lists stays with the last.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from etils import epath

from medst_jax.data_pipelines import cells
from medst_jax.data_pipelines.cells import CellError
from medst_jax.data_pipelines.listing import splits
from medst_jax.data_pipelines.listing.about import About
from medst_jax.data_pipelines.listing.csv_table import TableError, TableRow, parse_rows, read_text
from medst_jax.data_pipelines.listing.item import Item, Listing
from medst_jax.data_pipelines.listing.one_split import keep_last_split
from medst_jax.data_pipelines.listing.source import ListedSource
from medst_jax.data_pipelines.raw import Reject

THREE = ("normal", "pneumonia", "COVID-19")
_BINARY = {"positive": {"COVID-19": 1}, "negative": {"COVID-19": 0}}
_SPLITS = ("train", "val", "test")
# The patient's id may itself hold blanks.
_LINE = re.compile(r"(?P<patient>.+?)\s+(?P<file>\S+\.\w+)\s+(?P<kind>[\w-]+)\s+(?P<source>\S+)")


@dataclass(frozen=True)
class CovidX(ListedSource):
    """The images of the lists."""

    name: str = "covidx"

    about = About(
        licence="collected from sources with their own licences; not for commercial use",
        description="COVIDx of COVID-Net (Wang et al., arXiv:2003.09871)",
    )

    @property
    def facts(self) -> Mapping[str, Any]:
        # Releases name patients alike.
        return {} if self.name == "covidx" else {"namespace": "covidx"}

    def read(self) -> Listing:
        root = epath.Path(self.source_dir)
        items: list[Item] = []
        rejects: list[Reject] = []
        lists = {split: path for split in _SPLITS if (path := _list_of(root, split)) is not None}
        if not {"train", "test"} <= lists.keys():
            raise TableError(f"{root} has no train.txt and test.txt of COVIDx")
        for split, path in lists.items():
            parsed, refused = _read_list(path, split, has_validation="val" in lists)
            items += parsed
            rejects += [Reject(r.row, f"{path.name}: {r.reason}") for r in refused]
        items, torn = keep_last_split(items, _SPLITS)
        labels = tuple(name for name in THREE if any(name in item.labels for item in items))
        return Listing(items, [*rejects, *torn], labels)


def _list_of(root: epath.Path, split: str) -> epath.Path | None:
    if (root / f"{split}.txt").exists():
        return root / f"{split}.txt"
    return next(iter(sorted(root.glob(f"{split}_*.txt"), key=str)), None)


def _read_list(
    path: epath.Path, split: str, *, has_validation: bool
) -> tuple[list[Item], list[Reject]]:
    text = read_text(path)[0].encode(errors="replace").decode()
    lines = [(k, line.strip()) for k, line in enumerate(text.splitlines(), 1) if line.strip()]
    rows: list[TableRow | Reject] = []
    for number, line in lines:
        match = _LINE.fullmatch(line)
        if match is None:
            rows.append(Reject(number, "line is not: patient_id file class source"))
        else:
            rows.append(TableRow(number, match.groupdict()))
    return parse_rows(rows, lambda row: _item(row, split, has_validation), unique="file")


def _item(row: TableRow, split: str, has_validation: bool) -> Item:
    kind, file = row.get("kind"), row.get("file")
    if kind not in (*THREE, *_BINARY):
        raise CellError("class is unknown")
    labels = _BINARY.get(kind) or {name: int(name == kind) for name in THREE}
    # Ids are unique within a source only.
    patient = f"{row.get('source')} {row.get('patient')}"
    if split == "train" and not has_validation:
        place = splits.hold_out(patient)
    else:
        place = split
    return Item(
        row=row.line,
        patient_id=patient,
        study_id=file,
        image_id=file,
        path=f"{split}/{file}",
        view=cells.view("", "frontal"),
        labels=labels,
        split=place,
    )
