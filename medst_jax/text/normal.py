# SPDX-License-Identifier: Apache-2.0
"""The words by which a report says that all is well, and whether a sentence says so."""

from collections.abc import Mapping, Sequence

from medst_jax.text.lexicon import Match
from medst_jax.text.reach import NAMING, Reach

# Denied, they deny every finding: "no acute cardiopulmonary process".
GENERAL: tuple[str, ...] = (
    *("abnormalit*", "abnormal finding*", "acute finding*", "process", "processes", "disease"),
    *("diseases", "disease process*", "patholog*", "finding", "findings", "acute change*"),
    *("acute injur*", "acute illness", "complication*", "active disease", "acute disease"),
    *("acute cardiopulmonary change*", "disorder*", "injury", "injuries", "acute osseous change*"),
)
# Said of one of these without denial, "normal" or "clear" says that it has no finding.
STRUCTURES: tuple[str, ...] = (
    *("lung", "lungs", "lung fields", "chest", "thorax", "thoracic", "pleura", "pleural"),
    *("costophrenic", "bone", "bones", "bony", "osseous", "skeletal", "skeleton", "rib", "ribs"),
    *("spine", "soft tissue*", "hilum", "hila", "hilar", "vasculature", "vascularity", "vessels"),
    *("diaphragm*", "hemidiaphragm*", "trachea", "tracheal", "aorta", "aortic", "airway*"),
    *("exam", "examination", "study", "radiograph*", "film", "films", "x ray*", "xray*", "cxr"),
    *("silhouette*", "contours", "structures", "parenchyma", "vertebra*", "abdomen", "volumes"),
    *("lung volumes", "cardiopulmonary", "apices", "bases", "hemithora*", "sulci", "findings are"),
)
WELL: tuple[str, ...] = (
    *("clear", "clear and well expanded", "sharp", "patent", "well expanded", "well aerated"),
    *("negative chest", "negative exam*", "negative study", "negative radiograph*", "aerated"),
    *(
        "negative chest radiograph*",
        "negative chest exam*",
        "negative chest x ray*",
        "well inflated",
    ),
    *("negative x ray*", "symmetric", "midline", "fully expanded", "normally expanded", "expanded"),
)
KINDS = frozenset(("structure", "well"))
_ALONE = 2  # words of a sentence such as "Normal." or "Unremarkable."

LEXICON_KINDS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "general": {"": GENERAL},
    "structure": {"": STRUCTURES},
    "well": {"": WELL},
}


def says_normal(words: Sequence[str], matches: Sequence[Match], reached: Reach) -> bool:
    """Whether a sentence calls something that it names normal or clear."""
    alone = len(words) <= _ALONE and not any(match.kind in NAMING for match in matches)
    pending_structure = pending_well = False
    for match in matches:
        if match.value == "break":
            pending_structure = pending_well = False
        elif match.kind == "structure":
            pending_structure = True
        elif match.kind == "well" or (match.kind == "size" and match.value == "normal"):
            at = match.end - 1
            pending_well |= not (reached.denied[at] or reached.doubted[at] or reached.past[at])
            named = match.end - match.start > 1 and words[match.start] == "negative"
            pending_structure |= named or alone
        if pending_structure and pending_well:
            return True
    return False
