# SPDX-License-Identifier: Apache-2.0
"""Lungs and heart of one image in several states of the patient.

Findings that change the shape of a lung or of the heart cost a second evaluation of closed-form
path lengths; what a state leaves unchanged is not redone.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from medst_jax.data_pipelines.simulated_cxr.findings.states import State
from medst_jax.data_pipelines.simulated_cxr.thorax import thorax
from medst_jax.data_pipelines.simulated_cxr.thorax.anatomy import Anatomy
from medst_jax.data_pipelines.simulated_cxr.thorax.lungs import LungRays, LungShape, lung_rays
from medst_jax.data_pipelines.simulated_cxr.thorax.rays import Interval, View, length
from medst_jax.data_pipelines.simulated_cxr.thorax.thorax import MU

# These change path lengths through lung and heart; the others are terms of the sum.
GEOMETRIC = (
    "Enlarged Cardiomediastinum",
    "Cardiomegaly",
    "Pleural Effusion",
    "Pneumothorax",
    "Pleural Other",
    "Atelectasis",
    "Emphysema",
    "Elevated Hemidiaphragm",
    "Fibrosis",
)


BESIDE_AIR = 0.42  # density of what lies beside a collapsed lung, relative to lung


@dataclass(frozen=True)
class Posture:
    """How the patient was imaged: `breath` is mm of inspiration, `supine` moves fluid."""

    breath: float
    supine: bool


@dataclass(frozen=True)
class Lungs:
    """Both lungs in one state, by sign: -1 right, 1 left."""

    shapes: dict[int, LungShape]
    rays: dict[int, LungRays]
    saved: np.ndarray  # attenuation that air takes away, [S, S]
    air: np.ndarray  # mm of aerated lung, [S, S]


class Geometry:
    """Evaluates lungs in the states of one image."""

    def __init__(self, view: View, anatomy: Anatomy, posture: Posture) -> None:
        self.view, self.anatomy, self.posture = view, anatomy, posture
        self._hearts: dict[tuple[float, ...], tuple[Interval, slice, slice]] = {}
        self._sides: dict[tuple, tuple[LungRays, np.ndarray, np.ndarray]] = {}

    def lungs(self, state: State) -> Lungs:
        """Returns the lungs in a state."""
        view, anatomy = self.view, self.anatomy
        shapes = _shapes(anatomy, state, self.posture)
        scale = 1.0
        if "Cardiomegaly" in state:
            scale = 1.10 + 0.25 * state["Cardiomegaly"].severity
        pull = 0.0
        if "Atelectasis" in state:
            pull = 8 * (state["Atelectasis"].left - state["Atelectasis"].right)
        density = anatomy.lung_density
        if "Emphysema" in state:
            density *= 1 - 0.45 * state["Emphysema"].severity
        base = anatomy.domes[1] - 0.8 * self.posture.breath
        place = (base, scale, pull)
        if place not in self._hearts:
            self._hearts[place] = thorax.heart(view, anatomy, *place)
        saved = np.zeros((view.size, view.size), np.float32)
        air = np.zeros_like(saved)
        rays = {}
        for sign, shape in shapes.items():
            key = (shape, place, density)
            if key not in self._sides:
                self._sides[key] = _side(view, anatomy, shape, self._hearts[place], density)
            rays[sign], less, lung = self._sides[key]
            saved[:, rays[sign].columns] += less
            air[:, rays[sign].columns] += lung
        return Lungs(shapes, rays, saved, air)


def _shapes(anatomy: Anatomy, state: State, posture: Posture) -> dict[int, LungShape]:
    emphysema = state["Emphysema"].severity if "Emphysema" in state else 0.0
    posterior = _place(state, "Pleural Effusion") == "posterior"
    loculated = _place(state, "Pleural Effusion") == "loculated"
    bulge, bulge_at, lean = _bulge(state)
    shapes = {}
    for sign, dome, blunt in zip((-1, 1), anatomy.domes, anatomy.blunting, strict=True):
        fluid = 0.0 if loculated else _severity(state, "Pleural Effusion", sign)
        raised = 17 * _severity(state, "Atelectasis", sign)
        raised += _severity(state, "Elevated Hemidiaphragm", sign, 20.0, 42.0)
        raised += _severity(state, "Fibrosis", sign, 0.0, 16.0)
        shapes[sign] = LungShape(
            sign=sign,
            height=anatomy.height,
            peak=dome - posture.breath + raised - 30 * emphysema,
            curve=1 - 0.65 * emphysema,
            supine=posture.supine,
            widening=anatomy.upper,
            bulge=bulge * (1 + sign * lean),
            bulge_at=bulge_at,
            effusion=blunt + (1 - blunt) * fluid,
            effusion_posterior=posterior and fluid > 0,
            pneumothorax=_severity(state, "Pneumothorax", sign),
            pneumothorax_basal=_place(state, "Pneumothorax") == "basal",
            thickening=_severity(state, "Pleural Other", sign),
            thickening_apical=_place(state, "Pleural Other") == "apical",
        )
    return shapes


def _place(state: State, name: str) -> str:
    return state[name].place if name in state else ""


def _bulge(state: State) -> tuple[float, float, float]:
    """Returns a mass of the mediastinum: mm, share of the height, and how it leans to the left."""
    if "Enlarged Cardiomediastinum" not in state:
        return 0.0, 0.0, 0.0
    finding = state["Enlarged Cardiomediastinum"]
    lean = 0.7 * (finding.key % 1000 / 500 - 1)
    return 6.0 + 9.0 * finding.severity, 0.5 + 0.28 * (finding.key // 1000 % 1000 / 1000), lean


def _severity(state: State, name: str, sign: int, base: float = 0.0, slope: float = 1.0) -> float:
    if name not in state:
        return 0.0
    value = state[name].left if sign > 0 else state[name].right
    return base + slope * value if value else 0.0


def _side(
    view: View,
    anatomy: Anatomy,
    shape: LungShape,
    heart: tuple[Interval, slice, slice],
    density: float,
) -> tuple[LungRays, np.ndarray, np.ndarray]:
    """Returns one lung's rays, what its air takes away, and mm of aerated lung, on its window."""
    ray = lung_rays(view, anatomy, shape, heart)
    total = ray.air(ray.inflated, ray.rows, ray.columns)
    if not shape.pneumothorax:
        return ray, np.float32(MU * (1 - density)) * total, total
    lung = ray.air(ray.visceral, ray.rows, ray.columns)
    squeezed = np.float32(density * (1 + 0.3 * shape.pneumothorax))
    # Air seldom fills the whole depth: some lung stays in front of it and behind it.
    beside = np.float32(BESIDE_AIR * density) * (total - lung)
    return ray, np.float32(MU) * (total - beside - squeezed * lung - _pleura(ray)), lung


def _pleura(rays: LungRays) -> np.ndarray:
    """Returns mm of visceral pleura, a shell that shows where rays graze the collapsed lung."""
    path = length(rays.visceral)
    edge = cv2.Laplacian(path, cv2.CV_32F, ksize=1)
    return np.clip(-edge, 0, 24) * np.float32(0.03) * (path > 0)
