# SPDX-License-Identifier: Apache-2.0
"""Findings at one place: opacities, masses, cavities, nodes, plates of collapse, a hernia.

Each function returns [H, W] attenuation of one finding alone, so that the image without it
costs one subtraction. Shapes are drawn from the finding's key in body coordinates, hence the
same in the frontal and the lateral view and in the next study.
"""

from collections.abc import Mapping

import numpy as np

from medst_jax.data_pipelines.simulated_cxr.findings.states import Finding
from medst_jax.data_pipelines.simulated_cxr.thorax.anatomy import Anatomy
from medst_jax.data_pipelines.simulated_cxr.thorax.lungs import LungRays, LungShape, profile
from medst_jax.data_pipelines.simulated_cxr.thorax.rays import (
    Interval,
    View,
    ellipsoid,
    length,
    overlap,
    rotation,
    within,
)
from medst_jax.data_pipelines.simulated_cxr.thorax.texture import smooth_noise, soften
from medst_jax.data_pipelines.simulated_cxr.thorax.thorax import MU

ZONES = {"upper": (0.58, 0.8), "mid": (0.36, 0.56), "lower": (0.06, 0.3), "": (0.2, 0.7)}
ZONES |= {"retrocardiac": (0.08, 0.3), "retrosternal": (0.3, 0.6)}
ZONES |= {"apical": (0.86, 0.95), "sulcus": (-0.1, 0.02)}
Lungs = Mapping[int, tuple[LungShape, LungRays]]


def _spot(
    rng: np.random.Generator, anatomy: Anatomy, shape: LungShape, place: str, spread: float
) -> tuple[float, float, float]:
    """Draws a point of a lung zone; `spread` is the share of the half axes that is used."""
    low, high = ZONES[place]
    z = shape.height * rng.uniform(low, high)
    across, half_x, middle_y, half_y = (
        float(v) for v in profile(anatomy, shape, np.array(z, np.float32))
    )
    x = shape.sign * (across + spread * half_x * rng.uniform(-1, 1))
    y = middle_y + spread * half_y * rng.uniform(-1, 1)
    if place == "retrocardiac":
        x, y = shape.sign * rng.uniform(20, 38), middle_y - half_y * rng.uniform(0.35, 0.6)
    elif place == "retrosternal":
        x, y = shape.sign * rng.uniform(22, 40), middle_y + half_y * rng.uniform(0.6, 0.8)
    elif place == "sulcus":
        x, y = shape.sign * (across + half_x * rng.uniform(0.6, 0.85)), middle_y
    return x, y, z


def _add_blob(
    total: np.ndarray,
    weight: float,
    view: View,
    lung: LungRays,
    centre: tuple[float, float, float],
    axes: np.ndarray,
    orientation: np.ndarray,
) -> None:
    """Adds `weight` times the mm of aerated lung inside an ellipsoid to `total` [H, W]."""
    body, rows, columns = ellipsoid(view, centre, axes, orientation)
    near = overlap(columns, lung.columns)
    if near.stop <= near.start or rows.stop <= rows.start:
        return
    local = within(near, columns)
    body = Interval(body.enter[:, local], body.leave[:, local])
    if view.lateral and lung.sign < 0:
        body = Interval(-body.leave, -body.enter)
    total[rows, near] += np.float32(weight) * lung.within(body, rows, near)


def _sides(finding: Finding) -> list[tuple[int, float]]:
    return [(s, v) for s, v in ((-1, finding.right), (1, finding.left)) if v > 0]


def consolidation(view: View, anatomy: Anatomy, finding: Finding, lungs: Lungs) -> np.ndarray:
    """A cluster of soft blobs in one zone, patchy, with blurred edges; small behind the heart."""
    total = np.zeros((view.size, view.size), np.float32)
    for sign, severity in _sides(finding):
        rng = np.random.default_rng((finding.key, sign + 1))
        spot = _spot(rng, anatomy, lungs[sign][0], finding.place, 0.35)
        radius = (27 + 32 * severity) * (0.5 if finding.place == "retrocardiac" else 1.0)
        for _ in range(5):
            centre = np.array(spot) + rng.normal(0, 0.42 * radius, 3)
            axes = radius * rng.uniform(0.5, 1.0, 3)
            orientation = rotation(rng.uniform(-1, 1))
            _add_blob(total, 1.0, view, lungs[sign][1], tuple(centre), axes, orientation)
        limit = 34 + 46 * severity
        total = limit * np.tanh(total / limit)
    rng = np.random.default_rng((finding.key, 9))
    patchy = (
        1 + 0.35 * smooth_noise(rng, total.shape, 14) + 0.2 * smooth_noise(rng, total.shape, 30)
    )
    return soften(total * (0.88 * MU) * np.clip(patchy, 0.2, 1.8), 5 / view.pixel)


def lesion(view: View, anatomy: Anatomy, finding: Finding, lungs: Lungs) -> np.ndarray:
    """A nodule or, from a severity of about one half, a mass; up to three when severe,
    but for one at a rare place."""
    total = np.zeros((view.size, view.size), np.float32)
    for sign, severity in _sides(finding):
        rng = np.random.default_rng((finding.key, sign + 1))
        alone = severity <= 0.5 or finding.place in ("apical", "sulcus")
        for index in range(1 + int(rng.integers(0, 3)) * (not alone)):
            spot = _spot(rng, anatomy, lungs[sign][0], finding.place if index == 0 else "", 0.6)
            radius = (14 + 24 * severity) * (1.0 if index == 0 else rng.uniform(0.5, 0.9))
            radius *= 0.75 if finding.place.startswith("retro") else 1.0
            axes = radius * rng.uniform(0.85, 1.15, 3)
            orientation = rotation(rng.uniform(-1, 1))
            _add_blob(total, 1.0, view, lungs[sign][1], spot, axes, orientation)
    return soften(total * (1.5 * MU), 1.5 / view.pixel)


def granuloma(view: View, anatomy: Anatomy, finding: Finding, lungs: Lungs) -> np.ndarray:
    """A small calcified nodule."""
    total = np.zeros((view.size, view.size), np.float32)
    for sign, severity in _sides(finding):
        rng = np.random.default_rng((finding.key, sign + 1))
        spot = _spot(rng, anatomy, lungs[sign][0], finding.place, 0.6)
        axes = np.full(3, 4 + 4 * severity)
        _add_blob(total, 1.0, view, lungs[sign][1], spot, axes, np.eye(3))
    return total * (8 * MU)


def cavity(view: View, anatomy: Anatomy, finding: Finding, lungs: Lungs) -> np.ndarray:
    """A ball with a thick wall around air."""
    total = np.zeros((view.size, view.size), np.float32)
    for sign, severity in _sides(finding):
        rng = np.random.default_rng((finding.key, sign + 1))
        spot = _spot(rng, anatomy, lungs[sign][0], finding.place, 0.55)
        axes = (15 + 18 * severity) * rng.uniform(0.85, 1.15, 3)
        orientation = rotation(rng.uniform(-1, 1))
        _add_blob(total, 1.0, view, lungs[sign][1], spot, axes, orientation)
        _add_blob(total, -1.25, view, lungs[sign][1], spot, 0.66 * axes, orientation)
    return soften(total * (1.3 * MU), 1.5 / view.pixel)


def lymph_nodes(view: View, anatomy: Anatomy, finding: Finding, lungs: Lungs) -> np.ndarray:
    """Lobulated masses at the hila."""
    total = np.zeros((view.size, view.size), np.float32)
    for sign, severity in _sides(finding):
        rng = np.random.default_rng((finding.key, sign + 1))
        shape = lungs[sign][0]
        for _ in range(4):
            x = sign * (anatomy.medial + 14 + rng.normal(0, 6 + 5 * severity))
            z = shape.height * 0.42 + rng.normal(0, 10 + 8 * severity)
            axes = (9 + 11 * severity) * rng.uniform(0.8, 1.2, 3)
            spot = (x, -12 + rng.normal(0, 10), z)
            _add_blob(total, 1.0, view, lungs[sign][1], spot, axes, np.eye(3))
    return soften(total * (1.1 * MU), 1.5 / view.pixel)


def atelectasis(view: View, anatomy: Anatomy, finding: Finding, lungs: Lungs) -> np.ndarray:
    """Plates and a basal wedge; the loss of volume is in the lung's shape."""
    total = np.zeros((view.size, view.size), np.float32)
    for sign, severity in _sides(finding):
        rng = np.random.default_rng((finding.key, sign + 1))
        shape = lungs[sign][0]
        for _ in range(2 + int(rng.integers(0, 2))):
            x, y, z = _spot(rng, anatomy, shape, finding.place, 0.25)
            z = max(z, shape.peak + 6) if finding.place == "lower" else z
            axes = np.array([34 + 22 * severity, 46.0, 3.2 + 4.5 * severity])
            orientation = rotation(sign * rng.normal(0.3, 0.25))
            _add_blob(total, 0.68, view, lungs[sign][1], (x, y, z), axes, orientation)
        wedge = (sign * 0.42 * anatomy.chest, -30.0, shape.peak - 6)
        axes = np.array([46.0, 50.0, 12 + 30 * severity])
        _add_blob(total, 0.4 * severity, view, lungs[sign][1], wedge, axes, np.eye(3))
    return soften(total * (0.47 * MU), 2.5 / view.pixel)


def loculated(view: View, anatomy: Anatomy, finding: Finding, lungs: Lungs) -> np.ndarray:
    """Fluid that is caught between adhesions along the lateral chest wall, a lens."""
    total = np.zeros((view.size, view.size), np.float32)
    for sign, severity in _sides(finding):
        rng = np.random.default_rng((finding.key, sign + 1))
        shape = lungs[sign][0]
        z = shape.height * rng.uniform(0.5, 0.72)
        across, half_x, middle_y, half_y = (
            float(v) for v in profile(anatomy, shape, np.array(z, np.float32))
        )
        spot = (sign * (across + half_x), middle_y + 0.3 * half_y * rng.uniform(-1, 1), z)
        axes = np.array([14 + 18 * severity, 40 + 20 * severity, 24 + 22 * severity])
        _add_blob(total, 1.0, view, lungs[sign][1], spot, axes, rotation(sign * 0.25))
    return soften(total * (0.9 * MU), 1.5 / view.pixel)


def hernia(view: View, finding: Finding) -> np.ndarray:
    """A retrocardiac mass with an air bubble."""
    total = np.zeros((view.size, view.size), np.float32)
    size = 27 + 27 * finding.severity
    rng = np.random.default_rng(finding.key)
    x, y, z = rng.uniform(-2, 30), rng.uniform(-52, -30), rng.uniform(22, 48)
    for radius, strength in ((size, 0.8 * MU), (0.6 * size, -1.6 * MU)):
        lift = 12 if strength < 0 else 0
        body, rows, columns = ellipsoid(
            view, (x, y, z + lift), radius * np.array([1.1, 0.8, 0.9]), np.eye(3)
        )
        total[rows, columns] += strength * length(body)
    return total
