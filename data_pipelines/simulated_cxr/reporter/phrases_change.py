# SPDX-License-Identifier: Apache-2.0
"""The words by which the reporter compares a study with an earlier one."""

from collections.abc import Mapping

NOUNS: Mapping[str, tuple[str, ...]] = {
    "Enlarged Cardiomediastinum": ("mediastinal widening",),
    "Cardiomegaly": ("cardiomegaly", "enlargement of the heart"),
    "Lung Lesion": ("{side} {place} nodule", "{side} lung mass"),
    "Edema": ("pulmonary edema", "edema"),
    "Consolidation": ("{side} {place} consolidation", "{side} airspace consolidation"),
    "Pneumonia": ("{side} {place} pneumonia", "{side} pneumonia"),
    "Atelectasis": ("{side} {place} atelectasis", "{side} atelectasis"),
    "Pneumothorax": ("{sided} pneumothorax",),
    "Pleural Effusion": ("{sided} pleural effusion", "{sided} effusion"),
    "Pleural Other": ("{sided} pleural thickening",),
    "Fracture": ("{sided} rib fracture",),
    "Support Devices": ("position of the support devices", "appearance of the lines and tubes"),
}
CHANGES = {
    1: (
        "has increased",
        "is worse",
        "has progressed",
        "is larger than before",
        "has worsened",
        "is more extensive",
    ),
    0: (
        "is unchanged",
        "is stable",
        "persists without change",
        "is similar to prior",
        "shows no significant interval change",
    ),
    -1: (
        "has decreased",
        "has improved",
        "is smaller than before",
        "is less conspicuous",
        "has partially resolved",
    ),
}
RESOLVED = ("has resolved", "is no longer seen", "has cleared")
PRIORS = (
    "compared with the prior study of ___, ",
    "in comparison with ___, ",
    "since the previous radiograph, ",
    "as compared to the prior exam, ",
    "",
)
NEW = ("new since the prior study", "which is new", "not seen on the prior radiograph of ___")
SAME = ("no significant interval change", "stable examination", "stable chest radiograph")
