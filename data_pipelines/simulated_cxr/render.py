# SPDX-License-Identifier: Apache-2.0
"""One radiograph of a patient in a state, and for every finding the difference it makes.

The attenuation is a sum over bodies. Findings that add to it (opacities, devices) are terms of
their own; findings that change the shape of a lung or of the heart cost a second evaluation of
that lung's closed-form path lengths. Nothing is rendered twice.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from data_pipelines.simulated_cxr import bones, free_air, lesions, thorax
from data_pipelines.simulated_cxr.anatomy import Anatomy
from data_pipelines.simulated_cxr.detector import Scanner, expose
from data_pipelines.simulated_cxr.devices import draw_devices
from data_pipelines.simulated_cxr.lungs import LungRays, LungShape, lung_rays
from data_pipelines.simulated_cxr.rays import Interval, View, ellipsoid, length
from data_pipelines.simulated_cxr.states import Finding, State
from data_pipelines.simulated_cxr.texture import smooth_noise
from data_pipelines.simulated_cxr.thorax import MU

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
)


@dataclass(frozen=True)
class Posture:
    """How the patient was imaged: `breath` is mm of inspiration, `supine` moves fluid."""

    breath: float
    supine: bool


@dataclass(frozen=True)
class Rendering:
    """`pixels` uint8 [S, S] and the attenuation [S, S] float32 they show.

    `deltas` [S, S] float32 is, by finding, the attenuation with minus without it.
    """

    pixels: np.ndarray
    attenuation: np.ndarray
    deltas: Mapping[str, np.ndarray]


def draw_view(rng: np.random.Generator, name: str, size: int) -> tuple[View, Posture]:
    """Draws the position of patient and detector for one image."""
    field = (330 if name == "LATERAL" else 335) * rng.normal(1.0, 0.06)
    spread = 2.0 if name == "AP" else 1.0
    supine = name == "AP" and rng.random() < 0.4
    view = View(
        name=name,
        size=size,
        pixel=field / size,
        shift=(spread * rng.normal(0, 7), spread * rng.normal(0, 8)),
        twist=spread * rng.normal(0, 0.03) + (0.12 if name == "LATERAL" else 0.0),
        tilt=spread * rng.normal(0, 0.02),
        distance=950.0 if name == "AP" else 1700.0,
    )
    breath = rng.normal(0, 5) - (14 if name == "AP" else 0) - (8 if supine else 0)
    return view, Posture(breath=breath, supine=supine)


def _shapes(anatomy: Anatomy, state: State, posture: Posture) -> dict[int, LungShape]:
    emphysema = state["Emphysema"].severity if "Emphysema" in state else 0.0
    collapse = state.get("Atelectasis")
    shapes = {}
    for sign, dome in zip((-1, 1), anatomy.domes, strict=True):
        loss = 0.0
        if collapse is not None:
            loss = 26 * (collapse.left if sign > 0 else collapse.right)
        raised = _severity(state, "Elevated Hemidiaphragm", sign, 18.0, 42.0)
        shapes[sign] = LungShape(
            sign=sign,
            height=anatomy.height,
            peak=dome - posture.breath + loss - 30 * emphysema + raised,
            curve=1 - 0.65 * emphysema,
            supine=posture.supine,
            widening=_severity(state, "Enlarged Cardiomediastinum", sign, 2.0, 10.0),
            effusion=_severity(state, "Pleural Effusion", sign),
            pneumothorax=_severity(state, "Pneumothorax", sign),
            thickening=_severity(state, "Pleural Other", sign),
            thickening_apical="Pleural Other" in state and state["Pleural Other"].place == "apical",
        )
    return shapes


def _severity(state: State, name: str, sign: int, base: float = 0.0, slope: float = 1.0) -> float:
    if name not in state:
        return 0.0
    value = state[name].left if sign > 0 else state[name].right
    return base + slope * value if value else 0.0


@dataclass(frozen=True)
class _Lungs:
    shapes: dict[int, LungShape]
    rays: dict[int, LungRays]
    saved: np.ndarray  # attenuation that air takes away, [S, S]
    air: np.ndarray  # mm of aerated lung, [S, S]


class _Geometry:
    """Lungs of one image in several states; what a state leaves unchanged is not redone."""

    def __init__(self, view: View, anatomy: Anatomy, posture: Posture) -> None:
        self.view, self.anatomy, self.posture = view, anatomy, posture
        self._hearts: dict[tuple[float, ...], Interval] = {}
        self._sides: dict[tuple, tuple[LungRays, np.ndarray, np.ndarray]] = {}

    def lungs(self, state: State) -> _Lungs:
        """Returns the lungs in a state."""
        view, anatomy = self.view, self.anatomy
        shapes = _shapes(anatomy, state, self.posture)
        scale = 1.0
        if "Cardiomegaly" in state:
            scale = 1.09 + 0.30 * state["Cardiomegaly"].severity
        pull = 0.0
        if "Atelectasis" in state:
            pull = 12 * (state["Atelectasis"].left - state["Atelectasis"].right)
        density = anatomy.lung_density
        if "Emphysema" in state:
            density *= 1 - 0.45 * state["Emphysema"].severity
        place = (shapes[1].peak, scale, pull)
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
        return _Lungs(shapes, rays, saved, air)


def _side(
    view: View, anatomy: Anatomy, shape: LungShape, heart: Interval, density: float
) -> tuple[LungRays, np.ndarray, np.ndarray]:
    """Returns one lung's rays, what its air takes away, and mm of aerated lung, on its window."""
    ray = lung_rays(view, anatomy, shape, heart)
    everywhere = slice(None)
    total = ray.air(ray.inflated, everywhere, everywhere)
    if not shape.pneumothorax:
        return ray, np.float32(MU * (1 - density)) * total, total
    lung = ray.air(ray.visceral, everywhere, everywhere)
    squeezed = density * (1 + 0.5 * shape.pneumothorax)
    return ray, MU * (total - squeezed * lung - _pleura(ray)), lung


def _pleura(rays: LungRays) -> np.ndarray:
    """Returns mm of visceral pleura, a shell that shows where rays graze the collapsed lung."""
    path = length(rays.visceral)
    edge = cv2.Laplacian(path, cv2.CV_32F, ksize=1)
    return np.clip(-edge, 0, 24) * 0.35 * (path > 0)


def _terms(
    view: View, anatomy: Anatomy, state: State, lungs: _Lungs, blood: np.ndarray
) -> dict[str, np.ndarray]:
    pairs = {sign: (lungs.shapes[sign], lungs.rays[sign]) for sign in (-1, 1)}
    terms = {}
    for name, finding in state.items():
        if name == "Consolidation":
            terms[name] = lesions.consolidation(view, anatomy, finding, pairs)
        elif name == "Lung Lesion":
            terms[name] = lesions.lesion(view, anatomy, finding, pairs)
        elif name == "Calcified Granuloma":
            terms[name] = lesions.granuloma(view, anatomy, finding, pairs)
        elif name == "Atelectasis":
            terms[name] = lesions.atelectasis(view, anatomy, finding, pairs)
        elif name == "Edema":
            terms[name] = lesions.edema(view, anatomy, finding, pairs, blood, lungs.air)
        elif name == "Cavity":
            terms[name] = lesions.cavity(view, anatomy, finding, pairs)
        elif name == "Hilar Lymphadenopathy":
            terms[name] = lesions.lymph_nodes(view, anatomy, finding, pairs)
        elif name == "Fibrosis":
            terms[name] = lesions.fibrosis(view, finding, pairs, lungs.air)
        elif name == "Pneumoperitoneum":
            terms[name] = free_air.pneumoperitoneum(view, anatomy, finding, lungs.shapes)
        elif name == "Subcutaneous Emphysema":
            terms[name] = free_air.subcutaneous(view, anatomy, finding, anatomy.height)
        elif name == "Compression Fracture":
            at = (1 + finding.key % 5, 0.25 + 0.5 * finding.severity)
            terms[name] = bones.spine(view, anatomy, 0.0, at) - bones.spine(view, anatomy, 0.0)
        elif name == "Hiatal Hernia":
            terms[name] = lesions.hernia(view, finding)
        elif name == "Tortuous Aorta":
            terms[name] = _aorta(view, anatomy, finding.severity) - _aorta(view, anatomy, 0.0)
        elif name == "Support Devices":
            terms[name] = draw_devices(view, anatomy, anatomy.height, finding.kind, finding.key)
        elif name == "Scoliosis":
            bend = (12 + 26 * finding.severity) * (1 if finding.key % 2 else -1)
            terms[name] = bones.spine(view, anatomy, bend) - bones.spine(view, anatomy, 0.0)
        elif name == "Fracture":
            broken = _break(finding)
            terms[name] = bones.ribs(view, anatomy, anatomy.height, broken)
            terms[name] -= bones.ribs(view, anatomy, anatomy.height)
            terms[name] += bones.callus(view, anatomy, anatomy.height, broken)
    return terms


def _break(finding: Finding) -> bones.Break:
    low, high = {"upper": (1, 3), "mid": (3, 6), "lower": (5, 9)}[finding.place]
    rng = np.random.default_rng(finding.key)
    return bones.Break(
        sign=1 if finding.left else -1,
        rib=int(rng.integers(low, high)),
        angle=float(rng.uniform(0.8, 1.5)),
        displacement=9 + 14 * finding.severity,
    )


def _aorta(view: View, anatomy: Anatomy, tortuous: float) -> np.ndarray:
    """Returns the attenuation of knob and descending aorta."""
    total = np.zeros((view.size, view.size), np.float32)
    radius = anatomy.knob * (1 + 0.35 * tortuous)
    bodies = [
        ((16.0 + 8 * tortuous, -15.0, 0.72 * anatomy.height), (radius, 30.0, radius)),
        ((14.0 + 14 * tortuous, -45.0, 0.40 * anatomy.height), (13.0, 13.0, 90.0)),
    ]
    for centre, axes in bodies:
        body, rows, columns = ellipsoid(view, centre, np.array(axes), np.eye(3))
        total[rows, columns] += 0.55 * MU * length(Interval(*body))
    return total


def render(
    rng: np.random.Generator,
    anatomy: Anatomy,
    state: State,
    view: View,
    posture: Posture,
    scanner: Scanner,
) -> Rendering:
    """Renders one image of a patient in a state, with the difference each finding makes."""
    geometry = _Geometry(view, anatomy, posture)
    lungs = geometry.lungs(state)
    blood = thorax.vessels(view, anatomy, anatomy.height)
    terms = _terms(view, anatomy, state, lungs, blood)
    total = thorax.trunk(view, anatomy, anatomy.height) + thorax.breasts(view, anatomy)
    total += bones.ribs(view, anatomy, anatomy.height)
    total += bones.spine(view, anatomy, 0.0)
    if not view.lateral:
        total += bones.girdle(view, anatomy, anatomy.height)
    total += _aorta(view, anatomy, 0.0)
    chest = _blood(lungs, blood) - lungs.saved
    total += chest
    total -= MU * thorax.airways(view, anatomy.height, 0.0)
    total -= _stomach(view, anatomy, lungs.shapes[1].peak)
    deltas = {}
    for name, term in terms.items():
        total += term
        deltas[name] = term
    for name in GEOMETRIC:
        if name in state:
            without = {kept: f for kept, f in state.items() if kept != name}
            other = geometry.lungs(without)
            change = chest - (_blood(other, blood) - other.saved)
            deltas[name] = deltas[name] + change if name in deltas else change
    # Tissue is never uniform: a little structure at all scales.
    total *= (
        1 + 0.012 * smooth_noise(rng, total.shape, 9) + 0.006 * smooth_noise(rng, total.shape, 40)
    )
    total = np.maximum(total, 0)
    turned = {name: _turn(delta, view.tilt) for name, delta in deltas.items()}
    total = _turn(total, view.tilt)
    pixels = expose(rng, total, view.pixel, scanner, portable=view.name == "AP")
    return Rendering(pixels=pixels, attenuation=total, deltas=turned)


def _blood(lungs: _Lungs, blood: np.ndarray) -> np.ndarray:
    """Returns the attenuation of the vessels inside aerated lung; `blood` is in mm, [S, S]."""
    return (MU * 1.15) * blood * np.clip(lungs.air * np.float32(1 / 50), 0, 1)


def _stomach(view: View, anatomy: Anatomy, peak: float) -> np.ndarray:
    total = np.zeros((view.size, view.size), np.float32)
    if anatomy.gastric:
        radius = anatomy.gastric
        body, rows, columns = ellipsoid(
            view, (62.0, 8.0, peak - radius - 9), radius * np.array([1.4, 1.1, 0.8]), np.eye(3)
        )
        total[rows, columns] = MU * length(body)
    return total


def _turn(image: np.ndarray, angle: float) -> np.ndarray:
    size = image.shape[0]
    middle = ((size - 1) / 2, (size - 1) / 2)
    matrix = cv2.getRotationMatrix2D(middle, float(np.degrees(angle)), 1.0)
    return cv2.warpAffine(
        image.astype(np.float32), matrix, (size, size), borderMode=cv2.BORDER_REPLICATE
    )
