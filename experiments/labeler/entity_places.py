# SPDX-License-Identifier: Apache-2.0
"""How well places are read off sentences: phrases of the simulated reporter, whose finding is known.

    python -m experiments.labeler.entity_places

Every finding is drawn with its side and zone, put into words in the style of a site, and read back.
A side counts as right where it is that of the finding, a zone where it is one that the wording may
stand for. Prints a row a finding: sentences, entity read with the right code, and, of those, right
sides, and right zones.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from absl import app, flags

from medst_jax.data_pipelines.simulated_cxr.findings.findings import MIDLINE, PLACES
from medst_jax.data_pipelines.simulated_cxr.findings.states import Finding, onset
from medst_jax.data_pipelines.simulated_cxr.reporter.wording import Wording
from medst_jax.text.places import locate_sentence

_COUNT = flags.DEFINE_integer("count", 400, "Sentences of each finding.")
# Findings with places, and what the labeler calls them.
NAMES = {
    "Cardiomegaly": "cardiomegaly",
    "Enlarged Cardiomediastinum": "enlarged cardiomediastinum",
    "Lung Lesion": "lung lesion",
    "Edema": "edema",
    "Consolidation": "consolidation",
    "Atelectasis": "atelectasis",
    "Pneumothorax": "pneumothorax",
    "Pleural Effusion": "pleural effusion",
    "Pleural Other": "pleural other",
    "Fracture": "fracture",
}
# Zones of the generator and the regions by which its phrases name them.
ZONES = {
    "upper": ("upper zone", "ribs"),
    "mid": ("mid zone", "perihilar region", "ribs"),
    "lower": ("lower zone", "ribs"),
    "apical": ("apex", "pleura"),
    "basal": ("lower zone", "pleura"),
    "lateral": ("chest wall", "pleura"),
    "sulcus": ("costophrenic angle",),
    "loculated": ("pleura",),
    "retrocardiac": ("retrocardiac region",),
    "retrosternal": ("retrosternal region", "lung"),
    "posterior": ("costophrenic angle", "pleura"),
    "": (
        *("pleura", "apex", "costophrenic angle", "lung", "perihilar region"),
        *("heart", "mediastinum"),
    ),
}


class Score(NamedTuple):
    """sentences; of these, with the right code; of those, with the right side; with the right zone."""

    sentences: int
    codes: int
    sides: int
    zones: int


def scores(count: int, seed: int = 0, style: str = "m") -> Iterator[tuple[str, Score]]:
    """(finding, score) over `count` sentences each, a third of them hedged."""
    rng = np.random.default_rng(seed)
    # A sentence that leaves the place out has none to be read.
    words = Wording(rng, style, placed=1.0)
    for finding, name in NAMES.items():
        total = np.zeros(4, int)
        for number in range(count):
            drawn, code = onset(rng, finding), -1 if number % 3 == 2 else 1
            entity = "pneumonia" if drawn.pneumonia else name
            located = locate_sentence(words.state(drawn, code))
            right = located.entities.get(entity) == code
            places = [place for one, place in located.places if one == entity]
            total += (1, right, right and _side(drawn, places), right and _zone(drawn, places))
        yield finding, Score(*total.tolist())


def _side(finding: Finding, places: list[str]) -> bool:
    stated = {place.split()[0] for place in places} & {"right", "left"}
    true = {side for side in ("right", "left") if getattr(finding, side)}
    # Places in the middle have no side to get wrong.
    unsided = finding.name in MIDLINE or (places and not stated)
    return bool(places) and (unsided or stated == true)


def _zone(finding: Finding, places: list[str]) -> bool:
    regions = {place.removeprefix("right ").removeprefix("left ") for place in places}
    allowed = ZONES[finding.place] if finding.name in PLACES else ZONES[""]
    return bool(regions) and regions <= {*allowed}


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"unknown arguments: {argv[1:]}")
    for style in ("m", "e2"):
        print(f"style {style}: sentences, codes, sides, zones")
        for finding, score in scores(_COUNT.value, style=style):
            read = max(score.codes, 1)
            print(
                f"{finding:28}{score.sentences:6}{score.codes / score.sentences:8.3f}"
                f"{score.sides / read:8.3f}{score.zones / read:8.3f}"
            )


if __name__ == "__main__":
    app.run(main)
