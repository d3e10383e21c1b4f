# SPDX-License-Identifier: Apache-2.0
"""Reads the reports of the Indiana University collection (Open-i; Demner-Fushman et al., 2016).

The archive is licensed CC BY-NC-ND 4.0: it is read where it lies, and nothing of its text is
written anywhere.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from medst_jax.data_pipelines.open_i import mesh, reports

ARCHIVE = f"data/iu_reports_text/{reports.ARCHIVE}"


class TaggedReport(NamedTuple):
    """`sections` (name, text) in order; `tags` MeSH; `held_out` by a hash of the id."""

    number: int
    sections: tuple[tuple[str, str], ...]
    tags: tuple[str, ...]
    held_out: bool

    @property
    def text(self) -> str:
        """The report as one text with headers."""
        return "\n".join(f"{name}: {text}" for name, text in self.sections)

    @property
    def tagged(self) -> bool:
        """Whether anybody tagged it."""
        return bool(self.tags) and not set(self.tags) & set(mesh.UNTAGGED)

    @property
    def findings(self) -> frozenset[str]:
        """The observations its tags stand for."""
        return mesh.findings(self.tags)


def read_reports(shared: Path) -> Iterator[TaggedReport]:
    """Yields all reports with any findings or impression."""
    for report in reports.read_reports((shared / ARCHIVE).parent)[0]:
        if {"FINDINGS", "IMPRESSION"} & {name for name, _ in report.sections}:
            digest = hashlib.sha256(f"CXR{report.number}".encode()).digest()
            held_out = digest[0] % 2 == 1
            yield TaggedReport(report.number, report.sections, report.tags, held_out)
