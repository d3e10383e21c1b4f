# SPDX-License-Identifier: Apache-2.0
"""Cells that name files of the folder: paths of images, and reports that lie in files."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from medst_jax.data_pipelines import image_files
from medst_jax.data_pipelines.cells import CellError
from medst_jax.data_pipelines.listing.source import decode_report
from medst_jax.data_pipelines.source_image import UnreadableImage

_LONGEST_PATH = 260
_TEXT_FILE = re.compile(r"[^\n]+\.(txt|text)", re.IGNORECASE)


@dataclass
class Folder:
    """The user's folder; counts what was read otherwise than written.

    absolute: image paths that began at the root of the machine and lie inside the folder.
    reports: cells that named a file and became its text.
    """

    path: str
    absolute: int = 0
    reports: int = 0

    def relative(self, cell: str) -> str:
        """The path of a cell relative to the folder, where it lies inside; else as it is."""
        if "\\" in cell and "/" not in cell:
            cell = cell.replace("\\", "/")
        if not os.path.isabs(cell):
            return cell
        written, real = os.path.normpath(cell), os.path.realpath(self.path)
        # Through a link inside the folder first, then through another link to the folder.
        for root, path in (
            (os.path.abspath(self.path), written),
            (real, written),
            (real, os.path.realpath(cell)),
        ):
            if path.startswith(root.rstrip("/") + "/"):
                self.absolute += 1
                return os.path.relpath(path, root)
        return cell

    def report(self, cell: str) -> tuple[str, str]:
        """(text, "") of a `report` cell, that of the file where it names one.

        A file that cannot be read comes as ("", path), for the build to say why.
        """
        if not cell or "\n" in cell or len(cell) > _LONGEST_PATH:
            return cell, ""
        path = self.relative(cell)
        if not (_TEXT_FILE.fullmatch(cell) or self._has(path)):
            return cell, ""
        try:
            text = decode_report(image_files.read_bytes(self.path, path))
        except (UnreadableImage, CellError):
            return "", path
        self.reports += 1
        return text, ""

    def _has(self, path: str) -> bool:
        try:
            return os.path.isfile(image_files.resolve(self.path, path))
        except UnreadableImage:
            return False
