# SPDX-License-Identifier: Apache-2.0
"""The truth features of a study: what is there, how severe, where, and in which image it shows.

`truth_findings`, `truth_severity`, `truth_side` and `truth_visible_in` have one column per
finding of `FINDINGS`. `truth_visible_in` has bit 1 for the frontal and bit 2 for the lateral
image (0: present in neither). `truth_boxes` are rows (image, finding, x0, y0, x1, y1) in
pixels, ends exclusive, of what is visible; `truth_masks` their masks in the same order (see
`masks`). `truth_technique` has a row per image, in the order of `TECHNIQUE`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from medst_jax.data_pipelines.simulated_cxr.cohort.labeling import implied
from medst_jax.data_pipelines.simulated_cxr.findings.findings import (
    FINDINGS,
    MIDLINE,
    OPACITIES,
    SIDE_BOTH,
    SIDE_LEFT,
    SIDE_MIDLINE,
    SIDE_RIGHT,
)
from medst_jax.data_pipelines.simulated_cxr.findings.states import State, edema_grade
from medst_jax.data_pipelines.simulated_cxr.findings.visibility import SEEN, see
from medst_jax.data_pipelines.simulated_cxr.thorax.masks import BYTES, pack
from medst_jax.data_pipelines.simulated_cxr.thorax.rays import View

# mm per pixel, shift right and down in mm, rotation about the long axis and in the plane in
# radians, mm of inspiration, supine, exposure in deviations of the site's.
TECHNIQUE = ("pixel", "right", "down", "twist", "tilt", "breath", "supine", "exposure")
TRUTH_FEATURES: Mapping[str, tuple[np.dtype, tuple[int | None, ...]]] = {
    "truth_findings": (np.dtype(np.int8), (len(FINDINGS),)),
    "truth_severity": (np.dtype(np.float32), (len(FINDINGS),)),
    "truth_side": (np.dtype(np.int8), (len(FINDINGS),)),
    "truth_visible_in": (np.dtype(np.int8), (len(FINDINGS),)),
    "truth_boxes": (np.dtype(np.float32), (None, 6)),
    "truth_masks": (np.dtype(np.uint8), (None, BYTES)),
    "truth_edema": (np.dtype(np.int8), ()),
    "truth_technique": (np.dtype(np.float32), (None, len(TECHNIQUE))),
}
FRONTAL, LATERAL = 1, 2
CHILDREN: Mapping[str, tuple[str, ...]] = {
    "Lung Opacity": OPACITIES,
    "Pneumonia": ("Consolidation",),
}


@dataclass(frozen=True)
class Truth:
    """`features` to be stored; `visibility` of each finding of the state, the highest over the
    images; `visible`, all findings that can be seen, with what they imply."""

    features: Mapping[str, np.ndarray]
    visibility: Mapping[str, float]
    visible: frozenset[str]


@dataclass
class Sightings:
    """What each image of a study shows, collected image by image."""

    state: State
    visibility: dict[str, float] = field(default_factory=dict)
    where: dict[str, int] = field(default_factory=dict)
    boxes: list[tuple[float, ...]] = field(default_factory=list)
    masks: list[np.ndarray] = field(default_factory=list)
    technique: list[Sequence[float]] = field(default_factory=list)

    def add(
        self,
        view: View,
        deltas: Mapping[str, np.ndarray],
        clarity: np.ndarray,
        technique: Sequence[float],
    ) -> None:
        """Adds an image: the difference [S, S] that each finding makes, before scatter."""
        number = len(self.technique)
        self.technique.append(technique)
        for finding, delta in deltas.items():
            sight = see(delta * clarity, view.pixel)
            self.visibility[finding] = max(self.visibility.get(finding, 0.0), sight.visibility)
            if sight.visibility >= SEEN:
                bit = LATERAL if view.lateral else FRONTAL
                self.where[finding] = self.where.get(finding, 0) | bit
                self.boxes.append((number, FINDINGS.index(finding), *sight.box))
                self.masks.append(pack(sight.mask))

    def truth(self) -> Truth:
        """Returns the truth of the study."""
        state, where = self.state, self.where
        present = implied(state)
        seen = implied({name: f for name, f in state.items() if where.get(name)})
        side = np.zeros(len(FINDINGS), np.int8)
        severity = np.zeros(len(FINDINGS), np.float32)
        visible_in = np.zeros(len(FINDINGS), np.int8)
        for i, name in enumerate(FINDINGS):
            parts = [p for p in CHILDREN.get(name, (name,)) if p in state]
            if name not in present or not parts:
                continue
            right = max(state[p].right for p in parts)
            left = max(state[p].left for p in parts)
            severity[i] = max(right, left)
            side[i] = SIDE_BOTH if right and left else SIDE_RIGHT if right else SIDE_LEFT
            if name in MIDLINE:
                side[i] = SIDE_MIDLINE
            visible_in[i] = np.bitwise_or.reduce([where.get(p, 0) for p in parts])
        features: dict[str, np.ndarray] = {
            "truth_findings": np.array([name in present for name in FINDINGS], np.int8),
            "truth_severity": severity,
            "truth_side": side,
            "truth_visible_in": visible_in,
            "truth_boxes": np.array(self.boxes, np.float32).reshape(-1, 6),
            "truth_masks": np.array(self.masks, np.uint8).reshape(-1, BYTES),
            "truth_edema": np.array(edema_grade(state), np.int8),
            "truth_technique": np.array(self.technique, np.float32),
        }
        visibility = {name: self.visibility.get(name, 0.0) for name in state}
        return Truth(features, visibility, seen)
