# SPDX-License-Identifier: Apache-2.0
"""The CheXbert labels of CheXpert Plus: JSON lines, one object per image.

| file | labels of |
|---|---|
| impression_fixed.json | the section impression |
| findings_fixed.json | the section findings |
| report_fixed.json | the whole report |

The labeler calls an empty section "No Finding". A file's row therefore counts only where its
section has text; a study has the labels of the first of these files whose row counts.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from etils import epath

from medst_jax.data_pipelines.cells import CellError
from medst_jax.data_pipelines.listing import chexpert_labels
from medst_jax.data_pipelines.listing.csv_table import TableRow, parse_rows
from medst_jax.data_pipelines.listing.json_file import json_rows
from medst_jax.data_pipelines.raw import Reject

_FOLDERS = ("chexbert_labels", "", "labels", "labels/chexbert_labels")
# File: the section it labels, "" for the whole report.
_FILES = {
    "impression_fixed.json": "IMPRESSION",
    "findings_fixed.json": "FINDINGS",
    "report_fixed.json": "",
}


def read_labels(
    source_dir: str, sections_of: Mapping[str, Collection[str]]
) -> tuple[dict[str, dict[str, int]], list[Reject], tuple[str, ...]]:
    """Label codes by image id, rejects, and the names of the files that were there.

    Args:
      source_dir: the download.
      sections_of: the image whose report is its study's -> names of the sections with text, with
        "" where the report has any.
    """
    labels: dict[str, dict[str, int]] = {}
    rejects: list[Reject] = []
    names = []
    for name, section in _FILES.items():
        places = [epath.Path(source_dir) / folder / name for folder in _FOLDERS]
        path = next((place for place in places if place.exists()), None)
        if path is None:
            continue
        names.append(name)
        wanted = {
            image
            for image, sections in sections_of.items()
            if image not in labels and section in sections
        }

        def parse(
            row: TableRow, wanted: Collection[str] = wanted
        ) -> tuple[str, dict[str, int]] | None:
            image = row.get("path_to_image")
            return (image, codes(row)) if image in wanted else None

        pairs, refused = parse_rows(json_rows(path), parse)
        labels.update(pair for pair in pairs if pair is not None)
        rejects += [Reject(r.row, f"{name}: {r.reason}") for r in refused]
    return labels, rejects, tuple(names)


def codes(row: TableRow) -> dict[str, int]:
    """Codes of the 14 classes.

    Raises:
      CellError: a class is missing, or has another value than 1, 0, -1 and null.
    """
    missing = [label for label in chexpert_labels.CHEXPERT if label not in row.cells]
    if missing:
        raise CellError(f"{missing[0]} is missing")
    return chexpert_labels.codes(row)
