# SPDX-License-Identifier: Apache-2.0
"""The manual MeSH tags of Open-i as the 14 CheXpert observations."""

from __future__ import annotations

from collections.abc import Sequence

# A tag matches when it begins with one of these.
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
# Reports that nobody tagged.
UNTAGGED = ("No Indexing", "Technical Quality of Image Unsatisfactory")


def findings(tags: Sequence[str]) -> frozenset[str]:
    """The observations that a report's tags stand for."""
    return frozenset(
        name for name, starts in TAGS.items() if any(tag.startswith(starts) for tag in tags)
    )
