# SPDX-License-Identifier: Apache-2.0
"""How often reports affirm each finding, and how often they say on which side and in which zone."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from medst_jax.text.places import locate_sentence

# Names in `medst_jax.text.places`: what may lie on either side, most of it in several zones.
PLACED: tuple[str, ...] = (
    "consolidation",
    "pneumonia",
    "atelectasis",
    "nodule",
    "pneumothorax",
    "pleural effusion",
    "fracture",
)
_SIDES = ("right ", "left ")

Statistics = Mapping[str, Mapping[str, float]]


def place_statistics(sentences: Iterable[str], reports: int) -> dict[str, dict[str, float]]:
    """By finding, sentences that affirm it per report, and shares of them with a side and a zone.

    Args:
      sentences: of the sections that describe, of all reports.
      reports: how many there are.
    """
    mentions, sided, zoned = Counter[str](), Counter[str](), Counter[str]()
    for sentence in sentences:
        located = locate_sentence(sentence)
        for name in PLACED:
            if located.entities.get(name) != 1:
                continue
            places = [p for (entity, p), code in located.places.items() if entity == name and code]
            mentions[name] += 1
            sided[name] += any(place.startswith(_SIDES) for place in places)
            zoned[name] += any(_region(place) not in ("", usual_region(name)) for place in places)
    return {
        name: {
            "per_report": round(mentions[name] / max(reports, 1), 4),
            "with_side": round(sided[name] / max(mentions[name], 1), 4),
            "with_zone": round(zoned[name] / max(mentions[name], 1), 4),
        }
        for name in PLACED
    }


def rows(here: Statistics, real: Statistics) -> list[Sequence[str | float]]:
    """Rows of a table: finding, then each figure here and of the real reports."""
    keys = ("per_report", "with_side", "with_zone")
    return [
        (name, *(source[name][key] for key in keys for source in (here, real)))
        for name in PLACED
        if name in here and name in real
    ]


@lru_cache
def usual_region(name: str) -> str:
    """Where a finding lies when a sentence says no more than its side, such as the pleura."""
    places = locate_sentence(f"Right {name}.").places
    return next((_region(place) for entity, place in places if entity == name), "")


def _region(place: str) -> str:
    return place.removeprefix("right ").removeprefix("left ")
