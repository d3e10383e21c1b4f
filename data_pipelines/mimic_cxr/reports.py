# SPDX-License-Identifier: Apache-2.0
"""Where the reports of MIMIC-CXR lie, and the table of their sections.

`mimic-cxr-reports.zip` unpacks to `files/p10/p10000032/s50414267.txt`. Copies with the text
inside the study's folder, or with the archive unpacked into `mimic-cxr-reports/`, are found too.
Without text files, `mimic_cxr_sectioned.csv` (study, findings, impression, ...), which the
MIT-LCP/mimic-cxr repository makes, gives the sections.
"""

from __future__ import annotations

import os
import re

from etils import epath

from medst_jax.data_pipelines import cells
from medst_jax.data_pipelines.listing.csv_table import CsvTable, TableError, TableRow, find_table
from medst_jax.data_pipelines.mimic_cxr.tables import Film
from medst_jax.data_pipelines.raw import Reject

# Fills {patient} with p10/p10000032 and {study} with s50414267.
_LAYOUTS = (
    "files/{patient}/{study}.txt",
    "files/{patient}/{study}/{study}.txt",
    "mimic-cxr-reports/files/{patient}/{study}.txt",
    "mimic-cxr-reports/{patient}/{study}.txt",
    "reports/files/{patient}/{study}.txt",
    "{patient}/{study}.txt",
)
_REPORT = re.compile(r"s\d{8}\.txt")
_SECTIONED = "mimic_cxr_sectioned.csv"
_SECTIONS = ("comparison", "findings", "impression", "last_paragraph")


class ReportPaths:
    """Where the report of each study lies; every study is looked for by itself."""

    def __init__(self, source_dir: epath.PathLike) -> None:
        self._root = os.fspath(source_dir)
        self._layouts = list(_LAYOUTS)
        self._path_of: dict[str, str] = {}

    def of(self, film: Film) -> str:
        """The path of a film's report below the folder, "" where there is none."""
        if film.study not in self._path_of:
            self._path_of[film.study] = self._find(film)
        return self._path_of[film.study]

    @property
    def found(self) -> int:
        """Studies with a report among those asked for."""
        return sum(map(bool, self._path_of.values()))

    def _find(self, film: Film) -> str:
        for place, layout in enumerate(self._layouts):
            path = _fill(layout, film)
            if os.path.exists(os.path.join(self._root, path)):
                # Most studies lie as the one before: the next look is the only one.
                self._layouts.insert(0, self._layouts.pop(place))
                return path
        return ""


def check_read(source_dir: epath.PathLike, paths: ReportPaths) -> None:
    """Fails when the folder holds reports and none of them was found.

    Raises:
      TableError: names the layouts that are looked for.
    """
    if paths.found:
        return
    for folder, _, files in os.walk(source_dir):
        if any(_REPORT.fullmatch(name) for name in files):
            depth = len(os.path.relpath(folder, source_dir).split(os.sep))
            raise TableError(
                f"{os.fspath(source_dir)} holds report files, {depth} folders deep, and none lies "
                "where it is looked for: "
                + ", ".join(
                    layout.format(patient="pNN/pNNNNNNNN", study="sNNNNNNNN") for layout in _LAYOUTS
                )
            )


def _fill(layout: str, film: Film) -> str:
    patient, study = film.study_folder.rsplit("/", 1)
    return layout.format(patient=patient, study=study)


def read_sectioned(
    source_dir: epath.PathLike,
) -> tuple[dict[str, tuple[tuple[str, str], ...]], list[Reject]]:
    """Sections of every study by its number; empty without the table.

    `last_paragraph`, the authors' fallback, is kept only where findings and impression are empty.
    """
    path = find_table(source_dir, _SECTIONED)
    if path is None:
        return {}, []

    def parse(row: TableRow) -> tuple[str, tuple[tuple[str, str], ...]]:
        study = cells.digits(row.get("study").lstrip("s"), "study")
        sections = {name: row.get(name) for name in _SECTIONS if row.get(name)}
        if "findings" in sections or "impression" in sections:
            sections.pop("last_paragraph", None)
        return study, tuple(
            (name.upper().replace("_", " "), text) for name, text in sections.items()
        )

    pairs, rejects = CsvTable(path).need("study", "findings", "impression").parse(parse)
    return dict(pairs), [Reject(r.row, f"sectioned table: {r.reason}") for r in rejects]
