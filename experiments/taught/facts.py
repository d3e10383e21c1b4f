# SPDX-License-Identifier: Apache-2.0
"""Facts of a study: which findings, on which side, in which zone, how large, changed how.

They come from the truth or from a text, and have the same form, so that either teaches the same net.
Codes are NaN where nothing is known. Sides and zones are of the patient, as texts name them: the
patient's right is on the left of the image.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from experiments.taught.comparisons import compared
from medst_jax.data_pipelines.simulated_cxr.findings.findings import (
    FINDINGS,
    LABELS,
    RENDERED,
    SIDE_LEFT,
    SIDE_RIGHT,
)
from medst_jax.evaluate.protocols.parts.location_baseline import place
from medst_jax.text.labeler import label_sentence

NAMES: tuple[str, ...] = tuple(name for name in LABELS if name in RENDERED)
ZONES = ("upper", "middle", "lower")
GRID = 8  # of the maps
_COLUMNS = [FINDINGS.index(name) for name in NAMES]
_DRAWN_AS = {"Pneumonia": "Consolidation"}
_SIZES = (
    (0.25, r"\b(?:small|tiny|trace|minimal|mild|mildly|slight|subtle|minor|faint)\b"),
    (0.55, r"\b(?:moderate|moderately|medium)\b"),
    (0.85, r"\b(?:large|severe|marked|markedly|extensive|massive|substantial|big|huge)\b"),
)
WORSE_BY, SAME_WITHIN = 0.15, 0.05  # changes between are taught as neither


@dataclass(frozen=True)
class Facts:
    """Of n studies and the F findings of `NAMES`, float32 with NaN for what is not known.

    Attributes:
      present: [n, F], 0 or 1.
      right: [n, F], 1 on the right alone, 0 on the left alone.
      zone: [n, F], number of `ZONES`.
      severity: [n, F], 0 where absent.
      change: [n, F], since the prior image: -1, 0 or 1.
      region: uint8 [n, F, GRID * GRID], where a finding that is present may be, in row order.
    """

    present: np.ndarray
    right: np.ndarray
    zone: np.ndarray
    severity: np.ndarray
    change: np.ndarray
    region: np.ndarray

    def __getitem__(self, rows: np.ndarray) -> "Facts":
        return Facts(**{name: values[rows] for name, values in vars(self).items()})

    def arrays(self) -> dict[str, np.ndarray]:
        """By name, as a net reads them."""
        return dict(vars(self))


def unknown(count: int) -> Facts:
    """Nothing known of `count` studies."""
    shape = (count, len(NAMES))
    codes = {name: np.full(shape, np.nan, np.float32) for name in _CODES}
    return Facts(**codes, region=np.ones((*shape, GRID * GRID), np.uint8))


_CODES = ("present", "right", "zone", "severity", "change")


def said(texts: Sequence[Sequence[str]]) -> Facts:
    """What texts say, each given as its sentences.

    A finding that a text does not name counts as absent, a doubted one as not known. A text without
    sentences says nothing.
    """
    facts = unknown(len(texts))
    for row, sentences in enumerate(texts):
        if not sentences:
            continue
        facts.present[row] = facts.severity[row] = 0.0
        for sentence in sentences:
            _read(facts, row, sentence)
    return facts


def _read(facts: Facts, row: int, sentence: str) -> None:
    codes = label_sentence(sentence)
    comparison = compared(sentence)
    for label, code in codes.items():
        name = _DRAWN_AS.get(label, label)
        if name not in NAMES:
            continue
        column = NAMES.index(name)
        if comparison is not None:
            facts.change[row, column] = comparison.code
        if code == 0:
            continue
        facts.present[row, column] = 1.0 if code == 1 else np.nan
        facts.severity[row, column] = _size(sentence) if code == 1 else np.nan
        _, side, zone = place(name, sentence)
        if side in ("left", "right"):
            facts.right[row, column] = side == "right"
        if zone:
            facts.zone[row, column] = ZONES.index(zone)
        facts.region[row, column] = region_of(side, zone).ravel()


def _size(sentence: str) -> float:
    lowered = sentence.lower()
    return next((size for size, words in _SIZES if re.search(words, lowered)), np.nan)


def region_of(side: str, zone: str) -> np.ndarray:
    """bool [GRID, GRID]: the cells that these words allow; all of them where they say nothing."""
    rows, columns = np.mgrid[0:GRID, 0:GRID]
    allowed = np.ones((GRID, GRID), bool)
    if side in ("left", "right"):
        allowed &= (columns < GRID / 2) == (side == "right")
    if zone:
        # Zones overlap by a cell: words are vague, and so is where a chest begins.
        number = ZONES.index(zone)
        first, last = number * GRID / 3, (number + 1) * GRID / 3
        allowed &= (rows >= np.floor(first) - 1) & (rows < np.ceil(last) + 1)
    return allowed


def true(truths: Sequence[dict[str, np.ndarray]], priors: np.ndarray, side: int) -> Facts:
    """What is so and can be seen in the frontal images.

    Args:
      truths: of each study, as stored.
      priors: int [n], place of each study's prior among them, -1 for none.
      side: of the stored images, pixels.
    """
    facts = unknown(len(truths))
    seen = np.stack([(np.asarray(t["truth_visible_in"]) & 1)[_COLUMNS] for t in truths])
    severity = np.stack([np.asarray(t["truth_severity"])[_COLUMNS] for t in truths]) * seen
    where = np.stack([np.asarray(t["truth_side"])[_COLUMNS] for t in truths])
    facts.present[:] = seen
    facts.severity[:] = severity
    for code, value in ((SIDE_RIGHT, 1.0), (SIDE_LEFT, 0.0)):
        facts.right[(where == code) & (seen > 0)] = value
    for row, truth in enumerate(truths):
        _place(facts, row, truth, side)
    moved = np.where((priors >= 0)[:, None], severity - severity[priors], np.nan)
    either = np.maximum(severity, severity[priors]) > 0
    for known, code in (
        (np.abs(moved) <= SAME_WITHIN, 0.0),
        (moved > WORSE_BY, 1.0),
        (moved < -WORSE_BY, -1.0),
    ):
        facts.change[known & either] = code
    return facts


def _place(facts: Facts, row: int, truth: dict[str, np.ndarray], side: int) -> None:
    """The cells of a finding's boxes in the frontal image, and the zone of their middle."""
    boxes = np.asarray(truth["truth_boxes"], np.float32).reshape(-1, 6)
    for column, finding in enumerate(_COLUMNS):
        own = boxes[(boxes[:, 0] == 0) & (boxes[:, 1] == finding), 2:]
        if not len(own):
            continue
        cells = np.zeros((GRID, GRID), np.uint8)
        for x0, y0, x1, y1 in own * GRID / side:
            cells[int(y0) : int(np.ceil(y1)), int(x0) : int(np.ceil(x1))] = 1
        facts.region[row, column] = cells.ravel()
        middle = float((own[:, 1] + own[:, 3]).mean() / 2 / side)
        facts.zone[row, column] = min(int(middle * 3), 2)
