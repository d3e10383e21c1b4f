# SPDX-License-Identifier: Apache-2.0
"""The words by which the reporter says that something is not there, or that all is well."""

from collections.abc import Mapping

NEGATIVE: Mapping[str, tuple[str, ...]] = {
    "Enlarged Cardiomediastinum": (
        "the mediastinal contours are normal",
        "mediastinal silhouette is unremarkable",
        "cardiomediastinal contours are within normal limits",
    ),
    "Cardiomegaly": (
        "the heart is normal in size",
        "heart size is normal",
        "cardiac silhouette is within normal limits",
        "no cardiomegaly",
        "heart is not enlarged",
    ),
    "Lung Lesion": ("no suspicious nodule or mass", "no pulmonary nodule"),
    "Lung Opacity": ("no focal opacity", "no airspace opacity is identified"),
    "Edema": (
        "no pulmonary edema",
        "no vascular congestion or edema",
        "no overt edema",
        "there is no evidence of pulmonary edema",
    ),
    "Consolidation": (
        "no focal consolidation",
        "no airspace consolidation",
        "lungs are free of focal consolidation",
    ),
    "Pneumonia": ("no evidence of pneumonia", "no findings to suggest pneumonia"),
    "Atelectasis": ("no atelectasis", "lung volumes are preserved without atelectasis"),
    "Pneumothorax": (
        "no pneumothorax",
        "no pneumothorax is seen",
        "there is no definite pneumothorax",
    ),
    "Pleural Effusion": (
        "no pleural effusion",
        "no effusion",
        "no pleural effusion is identified",
        "pleural effusion is not seen",
    ),
    "Pleural Other": ("no pleural thickening",),
    "Fracture": (
        "no acute fracture",
        "no displaced rib fracture",
        "no acute, displaced fractures are seen",
    ),
    "Support Devices": ("no support devices",),
}

# The same as members of one long list.
LISTED: Mapping[str, str] = {
    "Consolidation": "focal consolidation",
    "Pleural Effusion": "pleural effusion",
    "Pneumothorax": "pneumothorax",
    "Edema": "pulmonary edema",
    "Pneumonia": "pneumonia",
    "Lung Lesion": "suspicious nodule",
    "Atelectasis": "atelectasis",
    "Lung Opacity": "focal opacity",
}
LIST_OPENINGS = (
    "there is no ",
    "no ",
    "no evidence of ",
    "negative for ",
    "the lungs are clear without ",
    "the lungs are clear of ",
)

CLEAR = (
    "the lungs are clear",
    "lungs are clear bilaterally",
    "clear lungs",
    "both lungs are clear and well expanded",
)

# Stock words of a normal study: sentences with the findings each denies.
STOCK: tuple[tuple[tuple[str, tuple[str, ...]], ...], ...] = (
    (
        ("the lungs are clear", ("Lung Opacity", "Consolidation")),
        ("there is no pleural effusion or pneumothorax", ("Pleural Effusion", "Pneumothorax")),
        (
            "cardiac and mediastinal silhouettes are unremarkable",
            ("Cardiomegaly", "Enlarged Cardiomediastinum"),
        ),
    ),
    (
        (
            "heart size and mediastinal contours are within normal limits",
            ("Cardiomegaly", "Enlarged Cardiomediastinum"),
        ),
        (
            "no focal consolidation, pleural effusion, or pneumothorax",
            ("Consolidation", "Pleural Effusion", "Pneumothorax"),
        ),
        ("no acute bony abnormality", ()),
    ),
    (
        ("heart is normal in size", ("Cardiomegaly",)),
        (
            "lungs are clear of focal airspace disease, pneumothorax, or pleural effusion",
            ("Lung Opacity", "Pneumothorax", "Pleural Effusion"),
        ),
    ),
)

NORMAL = (
    "no acute cardiopulmonary process",
    "no acute cardiopulmonary abnormality",
    "normal chest radiograph",
    "no acute intrathoracic process",
    "no radiographic evidence of acute disease",
    "no acute disease",
)
