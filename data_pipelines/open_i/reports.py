# SPDX-License-Identifier: Apache-2.0
"""Reads the XML reports of Open-i, from the unpacked folder or the archive."""

from __future__ import annotations

import re
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree

from etils import epath

from medst_jax.data_pipelines.bounded_reading import TooLong
from medst_jax.data_pipelines.listing.csv_table import TableError
from medst_jax.data_pipelines.raw import Reject
from medst_jax.data_pipelines.texts.stream import open_bytes

ARCHIVE = "NLMCXR_reports.tgz"
FOLDER = "ecgen-radiology"
_MAX_REPORT_BYTES = 1 << 20  # the longest of the collection have some ten thousand


@dataclass(frozen=True, slots=True)
class TaggedReport:
    """A report. number: of its file. sections: (name, text) without empty ones, in order.

    tags: the manual MeSH tags. images: ids such as CXR1_1_IM-0001-3001, in order. caption: what
    was taken, as the first image says.
    """

    number: int
    sections: tuple[tuple[str, str], ...]
    tags: tuple[str, ...]
    images: tuple[str, ...]
    caption: str


def read_reports(source_dir: epath.PathLike) -> tuple[list[TaggedReport], list[Reject]]:
    """Every report by number; a file that is not one is rejected by its number.

    Raises:
      TableError: neither the folder nor the archive is there, or the archive is damaged.
    """
    reports, rejects = [], []
    for number, data in sorted(_files(source_dir)):
        try:
            reports.append(parse_report(number, data))
        except (ElementTree.ParseError, ValueError) as error:
            reason = "malformed XML" if isinstance(error, ElementTree.ParseError) else str(error)
            rejects.append(Reject(number, reason))
    return reports, rejects


def parse_report(number: int, data: bytes) -> TaggedReport:
    """One XML file.

    Raises:
      ElementTree.ParseError: malformed. ValueError: not a report.
    """
    if len(data) > _MAX_REPORT_BYTES:
        raise ValueError("report is longer than a megabyte")
    if b"<!ENTITY" in data:
        # Nothing in the collection declares one, and they can blow up a parser.
        raise ValueError("XML with entities")
    if b"\0" in data:
        raise ValueError("XML is not UTF-8")
    root = ElementTree.fromstring(data)
    if root.tag != "eCitation":
        raise ValueError("XML is not a report")
    sections = tuple(
        ((part.get("Label") or "report").strip().upper(), " ".join((part.text or "").split()))
        for part in root.iter("AbstractText")
    )
    images = [image for image in root.iter("parentImage") if image.get("id")]
    return TaggedReport(
        number=number,
        sections=tuple((name, text) for name, text in sections if text),
        tags=tuple((tag.text or "").strip() for tag in root.iter("major")),
        images=tuple(dict.fromkeys(image.get("id") or "" for image in images)),
        caption=next((i.findtext("caption") or "" for i in images), "").strip(),
    )


def _files(source_dir: epath.PathLike) -> Iterator[tuple[int, bytes]]:
    root = epath.Path(source_dir)
    if (root / FOLDER).is_dir():
        for path in (root / FOLDER).iterdir():
            if number := _number(path.name):
                with path.open("rb") as file:
                    yield number, file.read(_MAX_REPORT_BYTES + 1)
        return
    if not (root / ARCHIVE).exists():
        raise TableError(f"{root} has neither {FOLDER}/ nor {ARCHIVE}: download it from Open-i")
    try:
        with open_bytes(root / ARCHIVE) as file, tarfile.open(fileobj=file, mode="r|") as archive:
            for member in archive:
                number = _number(member.name) if member.isreg() else 0
                content = archive.extractfile(member) if number else None
                if content is not None:
                    yield number, content.read(_MAX_REPORT_BYTES + 1)
    except (tarfile.TarError, OSError, EOFError, zlib.error, TooLong) as error:
        raise TableError(f"{root / ARCHIVE} is not a whole archive: download it again") from error


def _number(name: str) -> int:
    match = re.search(r"(?:^|/)(\d{1,9})\.xml$", name)
    return int(match[1]) if match else 0
