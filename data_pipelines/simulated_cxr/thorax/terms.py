# SPDX-License-Identifier: Apache-2.0
"""The attenuation that each finding adds to an image, or takes from it.

To add a finding: its name in `findings`, its prevalence in `sites`, and either a function here or
a change of shape in `geometry`. Each function takes the scene and the finding and returns [S, S].
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from medst_jax.data_pipelines.simulated_cxr.findings.states import Finding, State
from medst_jax.data_pipelines.simulated_cxr.thorax import (
    bones,
    focal,
    free_air,
    parenchyma,
    thorax,
)
from medst_jax.data_pipelines.simulated_cxr.thorax.anatomy import Anatomy
from medst_jax.data_pipelines.simulated_cxr.thorax.devices import draw_devices
from medst_jax.data_pipelines.simulated_cxr.thorax.geometry import Lungs
from medst_jax.data_pipelines.simulated_cxr.thorax.rays import View


@dataclass(frozen=True)
class Scene:
    """An image before its findings.

    `blood` is mm of vessel; `soft`, `spine` and `aorta` are the attenuation of these parts.
    """

    view: View
    anatomy: Anatomy
    lungs: Lungs
    blood: np.ndarray
    soft: np.ndarray
    spine: np.ndarray
    aorta: np.ndarray

    @property
    def sides(self) -> focal.Lungs:
        """Shape and rays of each lung."""
        return {sign: (self.lungs.shapes[sign], self.lungs.rays[sign]) for sign in (-1, 1)}


def _fracture(scene: Scene, finding: Finding) -> np.ndarray:
    view, anatomy = scene.view, scene.anatomy
    low, high = {"upper": (1, 3), "mid": (3, 6), "lower": (5, 9)}[finding.place]
    rng = np.random.default_rng(finding.key)
    first, angle = int(rng.integers(low, high)), float(rng.uniform(0.8, 1.5))
    total = np.zeros((view.size, view.size), np.float32)
    ribs = range(first, min(first + 2 + int(3 * finding.severity), bones.RIBS))
    for rib in ribs:
        broken = bones.Break(
            sign=1 if finding.left else -1,
            rib=rib,
            angle=angle + float(rng.normal(0, 0.08)),
            displacement=12 + 18 * finding.severity,
        )
        total += bones.fracture(view, anatomy, anatomy.height, broken)
        if rib == ribs[len(ribs) // 2]:
            total += bones.haematoma(view, anatomy, anatomy.height, broken)
    return total


def _compression(scene: Scene, finding: Finding) -> np.ndarray:
    wedge = (1 + finding.key % 5, 0.3 + 0.4 * finding.severity)
    return bones.spine(scene.view, scene.anatomy, 0.0, wedge) - scene.spine


def _scoliosis(scene: Scene, finding: Finding) -> np.ndarray:
    bend = (20 + 36 * finding.severity) * (1 if finding.key % 2 else -1)
    return bones.spine(scene.view, scene.anatomy, bend) - scene.spine


def _devices(scene: Scene, finding: Finding) -> np.ndarray:
    anatomy = scene.anatomy
    return draw_devices(scene.view, anatomy, anatomy.height, finding.kind, finding.key)


def _effusion(scene: Scene, finding: Finding) -> np.ndarray:
    """Of a loculated effusion; any other shapes the lung (`geometry`)."""
    if finding.place == "loculated":
        return focal.loculated(scene.view, scene.anatomy, finding, scene.sides)
    return np.zeros((scene.view.size, scene.view.size), np.float32)


TERMS: Mapping[str, Callable[[Scene, Finding], np.ndarray]] = {
    "Consolidation": lambda s, f: focal.consolidation(s.view, s.anatomy, f, s.sides),
    "Lung Lesion": lambda s, f: focal.lesion(s.view, s.anatomy, f, s.sides),
    "Calcified Granuloma": lambda s, f: focal.granuloma(s.view, s.anatomy, f, s.sides),
    "Cavity": lambda s, f: focal.cavity(s.view, s.anatomy, f, s.sides),
    "Hilar Lymphadenopathy": lambda s, f: focal.lymph_nodes(s.view, s.anatomy, f, s.sides),
    "Atelectasis": lambda s, f: focal.atelectasis(s.view, s.anatomy, f, s.sides),
    "Hiatal Hernia": lambda s, f: focal.hernia(s.view, f),
    "Edema": lambda s, f: parenchyma.edema(s.view, f, s.sides, s.blood, s.lungs.air),
    "Fibrosis": lambda s, f: parenchyma.fibrosis(s.view, f, s.sides, s.lungs.air),
    "Pneumoperitoneum": lambda s, f: free_air.pneumoperitoneum(
        s.view, s.anatomy, f, s.lungs.shapes, s.soft
    ),
    "Subcutaneous Emphysema": lambda s, f: free_air.subcutaneous(s.view, s.anatomy, f, s.soft),
    "Tortuous Aorta": lambda s, f: thorax.aorta(s.view, s.anatomy, f.severity) - s.aorta,
    "Support Devices": _devices,
    "Pleural Effusion": _effusion,
    "Scoliosis": _scoliosis,
    "Compression Fracture": _compression,
    "Fracture": _fracture,
}


def terms(scene: Scene, state: State) -> dict[str, np.ndarray]:
    """Returns the terms [S, S] of the findings that have one."""
    return {name: TERMS[name](scene, f) for name, f in state.items() if name in TERMS}
