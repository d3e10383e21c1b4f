# SPDX-License-Identifier: Apache-2.0
"""How patient, tube and detector stand to each other in one image, and how exposed it is."""

import math
from dataclasses import dataclass

import numpy as np

from medst_jax.data_pipelines.simulated_cxr.thorax.geometry import Posture
from medst_jax.data_pipelines.simulated_cxr.thorax.rays import View


@dataclass(frozen=True)
class Position:
    """The draws of an image before they are scaled to its view.

    deviates: float [7], standard normal: field, shift right and down, twist, tilt, breath, and the
    exposure in deviations of the site's. lying: in [0, 1), low in a patient who lies on the back.
    """

    deviates: np.ndarray
    lying: float

    @property
    def exposure(self) -> float:
        return float(self.deviates[6])


def draw_position(rng: np.random.Generator) -> Position:
    """Draws the position of one image."""
    return Position(rng.normal(size=7), float(rng.random()))


def registered(position: Position, other: Position, register: float) -> Position:
    """A position that shares `register`, 0 to 1, of its variance with another one."""
    deviates = register**0.5 * other.deviates + (1 - register) ** 0.5 * position.deviates
    return Position(deviates, other.lying if register > position.lying else position.lying)


def view_of(position: Position, name: str, size: int) -> tuple[View, Posture]:
    """The view and posture of an image [size, size] of a named view."""
    field, right, down, twist, tilt, breath = position.deviates[:6].tolist()
    spread = 1.6 if name == "AP" else 1.0
    supine = name == "AP" and position.lying < 0.4
    view = View(
        name=name,
        size=size,
        pixel=(310 if name == "LATERAL" else 332) * math.exp(0.095 * field) / size,
        shift=(13 * spread * right, 14 * spread * down),
        twist=0.045 * spread * twist + (0.12 if name == "LATERAL" else 0.0),
        tilt=0.042 * spread * tilt,
        distance=950.0 if name == "AP" else 1700.0,
    )
    lift = (10 if name == "AP" else 0) + (8 if supine else 0)
    return view, Posture(breath=12 * breath - lift, supine=supine)


def draw_view(rng: np.random.Generator, name: str, size: int) -> tuple[View, Posture]:
    """Draws the view and posture of one image."""
    return view_of(draw_position(rng), name, size)
