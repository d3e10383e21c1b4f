# SPDX-License-Identifier: Apache-2.0
"""Opens `metadata.csv`."""

from __future__ import annotations

from etils import epath

from medst_jax.data_pipelines.listing.csv_table import CsvTable, TableError

FILE_NAME = "metadata.csv"
REQUIRED = ("image_path", "patient_id")


def open_table(source_dir: epath.PathLike) -> CsvTable:
    """The table of a folder.

    Raises:
      TableError: no such file, no header, or a required column is missing.
    """
    path = epath.Path(source_dir) / FILE_NAME
    if not path.exists():
        raise TableError(f"{path} does not exist: --source_dir must be a folder with {FILE_NAME}")
    return CsvTable(path).need(*REQUIRED)
