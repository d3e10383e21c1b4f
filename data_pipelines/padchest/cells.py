# SPDX-License-Identifier: Apache-2.0
"""Cells of the PadChest table."""

from __future__ import annotations

import re

from medst_jax.data_pipelines.cells import CellError

_LIST = re.compile(r"\[\s*(?:(?:'[^']*'|\"[^\"]*\")\s*(?:,\s*|(?=\])))*\]")
_NAME = re.compile(r"'([^']*)'|\"([^\"]*)\"")
# Remarks on the study, which are no findings.
REMARKS = ("exclude", "suboptimal study", "unchanged")


def parse_labels(cell: str) -> frozenset[str] | None:
    """The findings of a cell such as `['pleural effusion', ' cardiomegaly']`.

    Returns:
      Names without blanks around them and without remarks; None when the cell is empty or
      `nan`, which is to say that nobody labelled the image.

    Raises:
      CellError: another notation.
    """
    if cell in ("", "nan"):
        return None
    if not _LIST.fullmatch(cell):
        raise CellError("Labels is not a list of names")
    names = {(a or b).strip() for a, b in _NAME.findall(cell)}
    return frozenset(names - {"", *REMARKS})


def year(cell: str) -> float:
    """Years from a number or a date: 1930.0, 20140915; NaN when unknown."""
    match = re.match(r"\d{4}", cell)
    return float(match[0]) if match else float("nan")
