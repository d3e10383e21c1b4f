# SPDX-License-Identifier: Apache-2.0
"""The 14 CheXpert classes and the codes of their columns.

Three column orders occur in published tables (the labeler's, that of CheXpert's own tables and
MIMIC-CXR's alphabetical one): columns go by name, and are stored in the labeler's order.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from medst_jax.data.records import schema
from medst_jax.data_pipelines import cells
from medst_jax.data_pipelines.cells import CellError
from medst_jax.data_pipelines.listing.csv_table import CsvTable, TableRow
from medst_jax.text.mentions import FINDINGS as CHEXPERT

# The classes of the 5x200 evaluation sets (GLoRIA, Huang et al. 2021).
FIVE = ("Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Pleural Effusion")
_CODES = {1.0: schema.POSITIVE, 0.0: schema.NEGATIVE, -1.0: schema.UNCERTAIN}


# What some tables call a class: MIMIC-CXR's radiologists and NegBio's lists.
_OTHER_NAMES = {"Lung Opacity": "Airspace Opacity"}


def need_columns(table: CsvTable) -> CsvTable:
    """The table; raises TableError when it lacks one of the 14."""
    return table.need(*(_column(label, table.names) for label in CHEXPERT))


def _column(label: str, names: Sequence[str]) -> str:
    other = _OTHER_NAMES.get(label, label)
    return other if label not in names and other in names else label


def codes(row: TableRow, labels: Sequence[str] = CHEXPERT) -> dict[str, int]:
    """Codes of the row's label cells: 1.0, 0.0, -1.0, blank; somebody read the report of a blank.

    Raises:
      CellError: another value.
    """
    by_label = {}
    for label in labels:
        cell = row.get(label) or row.get(_OTHER_NAMES.get(label, label))
        value = cells.number(cell, label)
        if math.isnan(value):
            by_label[label] = schema.BLANK
            continue
        if value not in _CODES:
            raise CellError(f"{label} is none of 1, 0, -1 and blank")
        by_label[label] = _CODES[value]
    return by_label


def only_positive(labels: Mapping[str, int], among: Sequence[str]) -> str | None:
    """The one class of `among` that is positive; None for none or several."""
    positive = [label for label in among if labels.get(label) == schema.POSITIVE]
    return positive[0] if len(positive) == 1 else None
