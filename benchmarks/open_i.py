# SPDX-License-Identifier: Apache-2.0
"""Reads the reports of the Indiana University collection (Open-i; Demner-Fushman et al., 2016).

The archive is licensed CC BY-NC-ND 4.0: it is read where it lies, and nothing of its text is
written anywhere.
"""

import hashlib
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

ARCHIVE = "data/iu_reports_text/NLMCXR_reports.tgz"

# MeSH tags of the collection as observations; a tag matches when it begins with one of these.
TAGS: dict[str, tuple[str, ...]] = {
    "No Finding": ("normal",),
    "Enlarged Cardiomediastinum": (
        *("Mediastinum/prominent", "Mediastinum/enlarged", "Mediastinum/widened"),
    ),
    "Cardiomegaly": ("Cardiomegaly", "Cardiac Shadow/enlarged", "Heart/enlarged"),
    "Lung Lesion": ("Nodule/lung", "Nodule", "Mass/lung", "Mass", "Neoplasm", "Lung Neoplasms"),
    "Lung Opacity": (
        *("Opacity", "Airspace Disease", "Infiltrate", "Markings/lung/interstitial"),
        *("Cicatrix/lung", "Density/lung", "Lung Diseases, Interstitial", "Markings/interstitial"),
    ),
    "Edema": ("Pulmonary Edema", "Pulmonary Congestion", "Heart Failure"),
    "Consolidation": ("Consolidation",),
    "Pneumonia": ("Pneumonia", "Bronchopneumonia"),
    "Atelectasis": ("Pulmonary Atelectasis",),
    "Pneumothorax": ("Pneumothorax", "Hydropneumothorax"),
    "Pleural Effusion": ("Pleural Effusion", "Hydropneumothorax", "Hemothorax"),
    "Pleural Other": ("Thickening/pleura", "Cicatrix/pleura", "Pleura/", "Calcinosis/pleura"),
    "Fracture": ("Fractures, Bone",),
    "Support Devices": (
        *("Catheters, Indwelling", "Tube, Inserted", "Implanted Medical Device", "Medical Device"),
        *("Stents", "Spinal Fusion"),
    ),
}


class TaggedReport(NamedTuple):
    """`sections` (name, text) in order; `tags` MeSH; `held_out` by a hash of the id."""

    sections: tuple[tuple[str, str], ...]
    tags: tuple[str, ...]
    held_out: bool

    @property
    def text(self) -> str:
        """The report as one text with headers."""
        return "\n".join(f"{name}: {text}" for name, text in self.sections)

    @property
    def findings(self) -> frozenset[str]:
        """The observations its tags stand for."""
        return frozenset(
            name for name, starts in TAGS.items() if any(t.startswith(starts) for t in self.tags)
        )


def read_reports(shared: Path) -> Iterator[TaggedReport]:
    """Yields all reports with any findings or impression."""
    with tarfile.open(shared / ARCHIVE) as archive:
        for member in archive:
            file = archive.extractfile(member) if member.name.endswith(".xml") else None
            if file is None:
                continue
            root = ElementTree.fromstring(file.read())
            identity = root.find("uId")
            sections = tuple(
                (part.get("Label") or "", part.text or "")
                for part in root.iter("AbstractText")
                if (part.text or "").strip()
            )
            if identity is None or not {"FINDINGS", "IMPRESSION"} & {name for name, _ in sections}:
                continue
            digest = hashlib.sha256((identity.get("id") or "").encode()).digest()
            tags = tuple(tag.text or "" for tag in root.iter("major"))
            yield TaggedReport(sections, tags, held_out=digest[0] % 2 == 1)
