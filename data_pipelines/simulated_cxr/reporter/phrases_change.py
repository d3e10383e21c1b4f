# SPDX-License-Identifier: Apache-2.0
"""The words by which the reporter compares a study with an earlier one."""

from collections.abc import Mapping

NOUNS: Mapping[str, tuple[str, ...]] = {
    "Enlarged Cardiomediastinum": ("mediastinal widening",),
    "Cardiomegaly": ("cardiomegaly", "enlargement of the heart"),
    "Lung Lesion": ("{side} {place} nodule", "{side} {place} mass"),
    "Edema": ("pulmonary edema", "edema"),
    "Consolidation": ("{side} {place} consolidation", "{side} {place} airspace consolidation"),
    "Pneumonia": ("{side} {place} pneumonia", "pneumonia of the {side} {place}"),
    "Atelectasis": ("{side} {place} atelectasis", "atelectasis of the {side} {place}"),
    "Pneumothorax": ("{side} {zonal} pneumothorax", "{sided} pneumothorax"),
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
# The same in an impression, where the name comes with the change.
SUMMED_UP = {
    1: (
        "interval worsening of the {noun}",
        "increased {noun}",
        "worsening {noun}",
        "interval increase in the {noun}",
        "the {noun} has increased",
    ),
    0: (
        "unchanged {noun}",
        "stable {noun}",
        "no significant change in the {noun}",
        "persistent, unchanged {noun}",
    ),
    -1: (
        "interval improvement of the {noun}",
        "decreased {noun}",
        "improving {noun}",
        "interval decrease in the {noun}",
        "the {noun} has improved",
    ),
}
GONE = (
    "the {noun} has resolved",
    "interval resolution of the {noun}",
    "resolved {noun}",
)
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
