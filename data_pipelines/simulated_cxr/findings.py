# SPDX-License-Identifier: Apache-2.0
"""Names of the findings of the simulated cohort and the codes of its truth features.

`LABELS` are the 14 CheXpert observations (Irvin et al., AAAI 2019) and the label vocabulary of
every site. `EXTRA` are findings outside them: they are rendered and kept in the truth only.
`FINDINGS` = `LABELS` + `EXTRA` fixes the last axis of the truth features.

"No Finding" follows CheXpert: nothing among the labels but, possibly, support devices. "Lung
Opacity" is the parent of consolidation, edema, atelectasis and lesion, and is true with any.
"""

LABELS: tuple[str, ...] = (
    "No Finding",
    "Enlarged Cardiomediastinum",
    "Cardiomegaly",
    "Lung Lesion",
    "Lung Opacity",
    "Edema",
    "Consolidation",
    "Pneumonia",
    "Atelectasis",
    "Pneumothorax",
    "Pleural Effusion",
    "Pleural Other",
    "Fracture",
    "Support Devices",
)
EXTRA: tuple[str, ...] = (
    "Hiatal Hernia",
    "Emphysema",
    "Calcified Granuloma",
    "Scoliosis",
    "Tortuous Aorta",
)
FINDINGS = LABELS + EXTRA

OPACITIES = ("Lung Lesion", "Edema", "Consolidation", "Atelectasis")

# The findings that have a rendering of their own; the others follow from these.
RENDERED: tuple[str, ...] = tuple(
    name for name in FINDINGS if name not in ("No Finding", "Lung Opacity", "Pneumonia")
)

# Among these exactly one is present in half of the enriched test studies.
SINGLE_TARGETS: tuple[str, ...] = (
    "Atelectasis",
    "Cardiomegaly",
    "Consolidation",
    "Edema",
    "Pleural Effusion",
    "Pneumothorax",
    "Lung Lesion",
)

POSITIVE, NEGATIVE, UNCERTAIN, BLANK = 1, 0, -1, -2
SIDE_NONE, SIDE_RIGHT, SIDE_LEFT, SIDE_BOTH, SIDE_MIDLINE = range(5)
MIDLINE = (
    "Enlarged Cardiomediastinum",
    "Cardiomegaly",
    "Support Devices",
    "Hiatal Hernia",
    "Scoliosis",
    "Tortuous Aorta",
)
