# SPDX-License-Identifier: Apache-2.0
"""How the reporters of a site write: order of topics, favourite words, habits.

Reporters of every site draw from the same tables of phrases; each site has an order of
preference of its own over every row, so that the most frequent wordings differ between sites.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

_RATIO = 0.65  # of the frequencies of neighbours in the order of preference

LUNGS_FIRST = (
    "Support Devices",
    "Consolidation",
    "Edema",
    "Atelectasis",
    "Lung Lesion",
    "Pleural Effusion",
    "Pneumothorax",
    "Pleural Other",
    "Cardiomegaly",
    "Enlarged Cardiomediastinum",
    "Fracture",
)
HEART_FIRST = (
    "Cardiomegaly",
    "Enlarged Cardiomediastinum",
    *LUNGS_FIRST[1:8],
    "Fracture",
    "Support Devices",
)
PLEURA_FIRST = (
    "Pleural Effusion",
    "Pneumothorax",
    "Pleural Other",
    "Support Devices",
    "Edema",
    "Consolidation",
    "Atelectasis",
    "Lung Lesion",
    *HEART_FIRST[:2],
    "Fracture",
)


@dataclass(frozen=True)
class Style:
    """Habits of a site's reporters; the numbers are chances.

    `numbered` impressions are lists; `listing` joins denials in one sentence; `stock` writes a
    normal report in the site's standard words; `clear` begins denials with clear lungs;
    `boilerplate` is the mean number of habitual sentences; `usual` calls it normal in the site's usual words; `communication` tells whom it was
    told; `modalities` refers to CT and the like; `incidental` adds an irrelevant finding.
    """

    name: str
    order: tuple[str, ...]
    numbered: float
    listing: float = 0.65
    stock: float = 0.35
    clear: float = 0.5
    usual: float = 0.9
    boilerplate: float = 1.0
    communication: float = 0.06
    modalities: float = 0.08
    incidental: float = 0.1


STYLES: Mapping[str, Style] = {
    "m": Style("m", LUNGS_FIRST, numbered=0.25),
    "e1": Style("e1", HEART_FIRST, numbered=0.8, listing=0.5, stock=0.5, communication=0.03),
    "e2": Style("e2", PLEURA_FIRST, numbered=0.0, listing=0.85, clear=0.2, boilerplate=0.4),
}


@lru_cache(maxsize=4096)
def preference(style: str, variants: tuple[str, ...]) -> tuple[str, ...]:
    """The variants in a site's order of preference; that of site M is the written one."""
    if style == "m":
        return variants
    return tuple(
        sorted(variants, key=lambda text: hashlib.sha256(f"{style}/{text}".encode()).digest())
    )


def usual(style: str, variants: Sequence[str]) -> str:
    """The variant that a site prefers."""
    return preference(style, tuple(variants))[0]


def draw(uniform: float, style: str, variants: Sequence[str]) -> str:
    """Draws a variant by a number in [0, 1), the preferred ones more often."""
    # Inverse of the distribution of a geometric variable cut at the number of variants.
    tail = 1 - _RATIO ** len(variants)
    index = int(math.log(1 - tail * uniform) / math.log(_RATIO))
    return preference(style, tuple(variants))[min(index, len(variants) - 1)]
