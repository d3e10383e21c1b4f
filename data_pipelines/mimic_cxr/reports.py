# SPDX-License-Identifier: Apache-2.0
"""Where the reports of MIMIC-CXR lie, and the table of their sections.

`mimic-cxr-reports.zip` unpacks to `files/p10/p10000032/s50414267.txt`. Copies with the text
inside the study's folder, or with the archive unpacked into `mimic-cxr-reports/`, are found too.
Without text files, `mimic_cxr_sectioned.csv` (study, findings, impression, ...), which the
MIT-LCP/mimic-cxr repository makes, gives the sections.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from etils import epath

from medst_jax.data_pipelines import cells
from medst_jax.data_pipelines.listing.csv_table import CsvTable, TableRow, find_table
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
# One missing file says little about the layout; so many do.
_TRIED = 200
_SECTIONED = "mimic_cxr_sectioned.csv"
_SECTIONS = ("comparison", "findings", "impression", "last_paragraph")


def report_paths(source_dir: epath.PathLike, films: Sequence[Film]) -> Callable[[Film], str]:
    """The path of a film's report, or "" for all of them when no layout fits the folder."""
    root = epath.Path(source_dir)
    for layout in _LAYOUTS:
        if any((root / _fill(layout, film)).exists() for film in films[:_TRIED]):
            return lambda film, layout=layout: _fill(layout, film)  # type: ignore[misc]
    return lambda film: ""


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
