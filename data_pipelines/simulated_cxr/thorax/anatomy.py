# SPDX-License-Identifier: Apache-2.0
"""The anatomy of one patient, in millimetres.

Axes: x to the patient's left, y to the front, z up, with z = 0 at the height of the diaphragm.
Lungs are stacks of superellipses |x/a|^4 + |y/b|^4 <= 1 whose half axes change with height,
cut from below by a paraboloid (the diaphragm) and from the middle by the ellipsoids of the
heart. These forms are chosen because a ray meets each of them in one closed-form interval.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Anatomy:
    """Sizes of one patient in mm; drawn once, constant over the patient's studies."""

    sex: str
    age: float
    chest: float  # half width of the thorax at its base
    depth: float  # half depth of the lungs
    height: float  # apex above the diaphragm
    fat: float  # soft tissue outside the ribs
    medial: float  # half width of the mediastinum between the lungs
    upper: float  # mm that the upper mediastinum is wider than usual, each side
    heart: float  # scale of the heart
    heart_tilt: float  # radians, long axis of the heart below the horizontal
    domes: tuple[float, float]  # peak of the right and left diaphragm
    blunting: tuple[float, float]  # of the right and left costophrenic angle, as of an effusion
    vessels: float  # calibre of the pulmonary vessels, relative
    rib_slope: float
    rib_width: float
    clavicle: float  # height above the apex region
    knob: float  # radius of the aortic knob
    bone: float  # density of the bones
    lung_density: float  # attenuation of the lungs relative to soft tissue
    breast: float  # radius, 0 for none
    gastric: float  # radius of the gastric bubble
    key: int  # seed of the vessel tree


def draw_anatomy(rng: np.random.Generator) -> Anatomy:
    """Draws a patient."""
    sex = "F" if rng.random() < 0.48 else "M"
    female = float(sex == "F")
    age = float(np.clip(rng.normal(60, 17), 18, 95))
    size = rng.normal(1.0, 0.05) * (1 - 0.07 * female)
    right = rng.normal(12, 11)
    return Anatomy(
        sex=sex,
        age=round(age),
        chest=size * rng.normal(142, 6),
        depth=size * rng.normal(94, 7),
        height=size * rng.normal(212, 15),
        fat=float(np.clip(rng.gamma(2.6, 8.5), 5, 65)),
        medial=float(np.clip(rng.normal(26, 6), 15, 42)),
        upper=float(np.clip(rng.normal(0, 5.3), -8, 12)),
        # Above this range a heart is enlarged, which is a finding.
        heart=size * float(np.clip(rng.normal(0.97, 0.11), 0.78, 1.14)),
        heart_tilt=rng.normal(0.55, 0.12),
        domes=(right, right - rng.normal(11, 5)),
        blunting=tuple((rng.random(2) < 0.23) * rng.uniform(0.1, 0.3, 2)),
        vessels=float(np.exp(rng.normal(0, 0.28))),
        rib_slope=rng.normal(0.34, 0.06),
        rib_width=rng.normal(6.4, 0.7),
        clavicle=rng.normal(6, 7),
        knob=rng.normal(15, 2) + 0.06 * (age - 50),
        bone=float(np.clip(rng.normal(1.0, 0.15) - 0.004 * (age - 60), 0.5, 1.5)),
        lung_density=float(np.clip(rng.normal(0.28, 0.07), 0.15, 0.46)),
        breast=female * rng.normal(56, 9),
        gastric=float(rng.random() < 0.6) * rng.uniform(12, 32),
        key=int(rng.integers(2**31)),
    )
