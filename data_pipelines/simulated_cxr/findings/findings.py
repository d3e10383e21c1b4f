# SPDX-License-Identifier: Apache-2.0
"""Names of the findings of the simulated cohort and the codes of its truth features.

`LABELS` are the 14 CheXpert observations (Irvin et al., AAAI 2019) and the label vocabulary of
every site. `EXTRA` are 12 findings outside them: they are rendered, kept in the truth, labels at site P
only, and mentioned in reports at rates from never to one report in twenty.
`FINDINGS` = `LABELS` + `EXTRA` fixes the last axis of the truth features.

"No Finding" follows CheXpert: nothing among the labels but, possibly, support devices. "Lung
Opacity" is the parent of consolidation, edema, atelectasis and lesion, and is true with any.
"""

from collections.abc import Mapping

from medst_jax.text.mentions import FINDINGS as LABELS

EXTRA: tuple[str, ...] = (
    "Hiatal Hernia",
    "Emphysema",
    "Calcified Granuloma",
    "Scoliosis",
    "Tortuous Aorta",
    "Pneumoperitoneum",
    "Subcutaneous Emphysema",
    "Elevated Hemidiaphragm",
    "Hilar Lymphadenopathy",
    "Fibrosis",
    "Cavity",
    "Compression Fracture",
)
FINDINGS = LABELS + EXTRA
# The labels of site P; the four other findings outside the 14 are labels nowhere.
WIDE_LABELS: tuple[str, ...] = (
    *LABELS,
    "Hiatal Hernia",
    "Emphysema",
    "Calcified Granuloma",
    "Scoliosis",
    "Tortuous Aorta",
    "Elevated Hemidiaphragm",
    "Fibrosis",
    "Compression Fracture",
)

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
    "Compression Fracture",
)

# Where a finding may lie, with the share of each place (chosen); others have the one place "".
PLACES: Mapping[str, tuple[tuple[str, float], ...]] = {
    "Consolidation": (
        ("upper", 0.27),
        ("mid", 0.25),
        ("lower", 0.27),
        ("retrocardiac", 0.17),
        ("apical", 0.02),
        ("sulcus", 0.02),
    ),
    "Lung Lesion": (
        ("upper", 0.23),
        ("mid", 0.22),
        ("lower", 0.22),
        ("retrocardiac", 0.12),
        ("retrosternal", 0.17),
        ("apical", 0.02),
        ("sulcus", 0.02),
    ),
    "Calcified Granuloma": (("upper", 0.4), ("mid", 0.3), ("lower", 0.3)),
    "Cavity": (("upper", 0.6), ("mid", 0.2), ("lower", 0.2)),
    "Atelectasis": (("lower", 0.62), ("mid", 0.14), ("retrocardiac", 0.24)),
    "Pleural Effusion": (("", 0.41), ("posterior", 0.55), ("loculated", 0.04)),
    "Pneumothorax": (("apical", 0.96), ("basal", 0.04)),
    "Pleural Other": (("apical", 0.5), ("lateral", 0.5)),
    "Fracture": (("upper", 0.3), ("mid", 0.4), ("lower", 0.3)),
}
# Of them, where each lies rarely; split "atypical" has them there.
RARE_PLACES: Mapping[str, tuple[str, ...]] = {
    "Consolidation": ("apical", "sulcus"),
    "Lung Lesion": ("apical", "sulcus"),
    "Pneumothorax": ("basal",),
    "Pleural Effusion": ("loculated",),
}
