# SPDX-License-Identifier: Apache-2.0
"""The map from a data set's patient numbers to the ids of its source.

It lies in `<data_dir>/private/<name>.csv`, readable by its owner alone. Nothing of the project
reads it but this file, when a user asks a study for its `patient_id`: records, indices, lists, stamps, exports and pages hold numbers and keys.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from etils import epath

from medst_jax.data.records.keys import PRIVATE, write_private

_HEADER = ["patient", "patient_id"]


def write_patient_ids(
    data_dir: epath.PathLike, name: str, patients: np.ndarray, ids: Sequence[str]
) -> None:
    """Write the map of a data set.

    Args:
      data_dir: folder of prepared data.
      name: of the data set.
      patients: int [n], the number of the patient of each record.
      ids: n ids, those of the records' patients in the source.
    """
    _, first = np.unique(patients, return_index=True)
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\n")
    writer.writerow(_HEADER)
    writer.writerows((int(patients[row]), ids[row]) for row in first)
    write_private(_file(data_dir, name), content.getvalue())


def read_patient_ids(data_dir: epath.PathLike, name: str) -> list[str]:
    """The id of each patient, by number.

    Raises:
      FileNotFoundError: the data were prepared elsewhere, and the map stayed there.
    """
    path = _file(data_dir, name)
    if not path.exists():
        raise FileNotFoundError(
            f"{path} is missing: the ids of patients stay where the data set was prepared"
        )
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [row[_HEADER[1]] for row in rows]


def _file(data_dir: epath.PathLike, name: str) -> Path:
    return Path(os.fspath(data_dir)) / PRIVATE / f"{name}.csv"
