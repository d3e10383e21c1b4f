# SPDX-License-Identifier: Apache-2.0
"""The manual MeSH tags of Open-i as the 14 CheXpert observations."""

from __future__ import annotations

from collections.abc import Sequence

# A tag matches when it begins with one of these.
TAGS: dict[str, tuple[str, ...]] = {
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
    "Pneumothorax": ("Pneumothorax", "Hydropneumothorax", "Hemopneumothorax"),
    "Pleural Effusion": (
        *("Pleural Effusion", "Hydropneumothorax", "Hemothorax", "Hemopneumothorax"),
    ),
    "Pleural Other": ("Thickening/pleura", "Cicatrix/pleura", "Pleura/", "Calcinosis/pleura"),
    "Fracture": ("Fractures, Bone",),
    "Support Devices": (
        *("Catheters, Indwelling", "Tube, Inserted", "Implanted Medical Device", "Medical Device"),
        *("Stents", "Spinal Fusion"),
    ),
}
# Nodules and masses that are in no lung.
ELSEWHERE = tuple(
    f"{name}/{place}"
    for name in ("Mass", "Nodule")
    for place in ("breast", "mediastinum", "heart", "pleura", "abdomen", "neck", "ribs")
)
# Tags that leave a report without a finding: remnants of surgery and remarks on the study.
HARMLESS = (
    *("normal", "Surgical Instruments", "Sutures", "Mastectomy", "Breast Implants"),
    *("Nipple Shadow", "Contrast Media", "Technical Quality of Image", "Lung/hypoinflation"),
    *TAGS["Support Devices"],
)
# Reports that nobody tagged.
UNTAGGED = ("No Indexing", "Technical Quality of Image Unsatisfactory")


def findings(tags: Sequence[str]) -> frozenset[str]:
    """The observations that a report's tags stand for.

    "No Finding" is among them when every tag is `HARMLESS`: a tag outside the observations, such
    as a calcified granuloma, takes it away too.
    """
    here = [tag for tag in tags if not tag.startswith(ELSEWHERE)]
    names = {name for name, starts in TAGS.items() if any(tag.startswith(starts) for tag in here)}
    if tags and all(tag.startswith(HARMLESS) for tag in tags):
        names.add("No Finding")
    return frozenset(names)
