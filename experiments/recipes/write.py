# SPDX-License-Identifier: Apache-2.0
"""All pages of docs/recipes, and those of them that are out of date."""

import pathlib
from collections.abc import Mapping

from experiments.recipes.compare import Compared, compare
from experiments.recipes.expanded import expanded
from experiments.recipes.sheet import overview, sheet
from experiments.recipes.source import SOURCES, Source, names, read

FOLDER = SOURCES.parent
COMMAND = "python -m experiments.recipes"


Sheets = dict[str, tuple[Source, dict[str, Compared]]]


def pages() -> tuple[dict[str, str], Sheets]:
    """Every page by its name, and what the sheets compare.

    Raises:
      SourceError: a source does not fit its configuration.
    """
    result: dict[str, str] = {}
    sheets: Sheets = {}
    for name in names():
        source, config = read(name), expanded(name)
        sheets[name] = source, compare(source, config)
        result[f"{name}.md"] = sheet(source, sheets[name][1], config)
    return {"README.md": overview(sheets), **result}, sheets


def outdated(written: Mapping[str, str], folder: pathlib.Path = FOLDER) -> list[str]:
    """Names of the pages that are missing or say something else."""
    return [
        name
        for name, text in written.items()
        if not (folder / name).exists() or (folder / name).read_text() != text
    ]


def outlived(sheets: Sheets) -> list[str]:
    """Reasons of departures that are gone, which are to be taken out of the sources."""
    return [
        f"docs/recipes/sources/{name}.toml: [{key}]: ours is the paper's or the release's now; take its why out"
        for name, (_, rows) in sheets.items()
        for key, row in rows.items()
        if row.outlived
    ]
