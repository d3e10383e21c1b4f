# SPDX-License-Identifier: Apache-2.0
"""Attenuation of ribs, clavicles, scapulae and spine: bands along space curves, projected."""

from dataclasses import dataclass

import cv2
import numpy as np

from data_pipelines.simulated_cxr.anatomy import Anatomy
from data_pipelines.simulated_cxr.rays import View

SUBPIXEL = 4  # fractional bits of cv2's coordinates
RIBS = 10
SPACING = 23.5  # mm between ribs at the spine


@dataclass(frozen=True)
class Break:
    """A displaced rib: `sign` -1 right, 1 left; angle from the spine; displacement in mm."""

    sign: int
    rib: int
    angle: float
    displacement: float


def rib_curve(
    anatomy: Anatomy, height: float, sign: int, rib: int, angles: np.ndarray
) -> np.ndarray:
    """Returns points [n, 3] of a rib at angles from the spine (0) to the sternum (pi)."""
    start = height + 8 - rib * SPACING
    t = np.clip((start - 20) / height, 0, 1)
    half = anatomy.chest * (1.0 - 0.06 * t - 0.40 * t**3) + 3
    x = 16 + (half - 16) * np.sin(angles) ** 0.8
    y = -8 - anatomy.depth * 0.16 * t - (anatomy.depth * (1 - 0.45 * t**2) + 4) * np.cos(angles)
    drop = anatomy.rib_slope * (60 + 150 * min(rib / 4, 1.0))
    z = start - drop * ((1 - np.cos(angles)) / 2) ** 1.2
    return np.stack([sign * x, y, z], axis=1)


def band(points: np.ndarray, half_width: np.ndarray | float) -> np.ndarray:
    """Returns the outline [2n, 2] of a band of that half width along a curve [n, 2]."""
    along = np.gradient(points, axis=0)
    norm = np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-3)[:, None]
    normal = np.stack([-along[:, 1], along[:, 0]], axis=1) / norm
    offset = normal * np.reshape(half_width, (-1, 1))
    return np.concatenate([points + offset, (points - offset)[::-1]])


def fill(canvas: np.ndarray, outlines: list[np.ndarray], value: int) -> None:
    """Fills outlines (column, row) with anti-aliased edges; later ones cover earlier ones."""
    for outline in outlines:
        whole = np.round(outline * 2**SUBPIXEL).astype(np.int32)
        cv2.fillPoly(canvas, [whole], value, cv2.LINE_AA, SUBPIXEL)


def ribs(view: View, anatomy: Anatomy, height: float, fracture: Break | None = None) -> np.ndarray:
    """Returns the attenuation [H, W] of the rib cage."""
    total = np.zeros((view.size, view.size), np.float32)
    width = anatomy.rib_width / view.pixel
    spans = ((0.12, 1.75), (1.75, 2.55))
    for span_index, span in enumerate(spans):
        angles = np.linspace(*span, 12)
        for signs in ((-1,), (1,)) if view.lateral else ((-1, 1),):
            outer, inner = [], []
            for sign in signs:
                for rib in range(RIBS if span_index == 0 else RIBS - 3):
                    points = rib_curve(anatomy, height, sign, rib, angles)
                    if fracture is not None and (fracture.sign, fracture.rib) == (sign, rib):
                        points[angles > fracture.angle, 2] -= fracture.displacement
                    flat = view.to_pixels(points)
                    thin = width * (0.62 if rib == 0 else 1.0)
                    outer.append(band(flat, thin))
                    inner.append(band(flat, thin * 0.62))
            canvas = np.zeros((view.size, view.size), np.uint8)
            fill(canvas, outer, 150)
            fill(canvas, inner, 88)
            strength = 0.20 if span_index == 0 else 0.13
            total += canvas * np.float32(anatomy.bone * strength / 150)
    return total


def girdle(view: View, anatomy: Anatomy, height: float) -> np.ndarray:
    """Returns the attenuation [H, W] of clavicles and scapulae, frontal views only."""
    total = np.zeros((view.size, view.size), np.float32)
    canvas, flat = np.zeros((view.size, view.size), np.uint8), np.zeros_like(total, np.uint8)
    rise = anatomy.clavicle + (10 if view.name == "AP" else 0)
    steps = np.linspace(0, 1, 12)
    for sign in (-1, 1):
        x = sign * (20 + 135 * steps)
        z = height - 22 + rise + 34 * steps + 6 * np.sin(6.3 * steps)
        points = np.stack([x, np.full(12, 60.0), z], axis=1)
        curve = view.to_pixels(points)
        half = 6.5 / view.pixel * (1 + 0.35 * np.cos(6.3 * steps))
        fill(canvas, [band(curve, half)], 150)
        fill(canvas, [band(curve, half * 0.6)], 95)
        inward = 0.0 if view.name == "PA" else 0.14
        corners = np.array([[1.3, 1.02], [1.0 - inward, 0.92], [0.9 - inward, 0.3], [1.06, 0.5]])
        blade = [[sign * u * anatomy.chest, -80.0, v * height] for u, v in corners]
        fill(flat, [view.to_pixels(np.array(blade))], 90)
    total += canvas * np.float32(anatomy.bone * 0.42 / 150)
    total += flat * np.float32(anatomy.bone * 0.14 / 90)
    return total


def spine(view: View, anatomy: Anatomy, curvature: float) -> np.ndarray:
    """Returns the attenuation of the vertebrae, [H, W]; `curvature` is a scoliosis in mm."""
    grid, z = view.grid(0.0 if view.lateral else -70.0)
    phase = np.cos(2 * np.pi * z / 22.0 + anatomy.key % 7)
    body = 0.78 + 0.22 * np.clip(2.2 * phase + 0.9, -1, 1)
    if view.lateral:
        middle = -64 - 12 * np.cos((z - 90) / 110)
        core = np.clip(1 - ((grid - middle) / 17) ** 4, 0, 1) ** 0.5
        rear = np.clip(1 - ((grid - middle + 30) / 16) ** 2, 0, 1)
        return (0.5 * anatomy.bone * (core * body + 0.45 * rear)).astype(np.float32)
    middle = curvature * np.sin((z + 40) / 95) if curvature else np.zeros_like(z)
    core = np.clip(1 - ((grid - middle) / 18) ** 4, 0, 1) ** 0.5
    return (0.55 * anatomy.bone * core * body).astype(np.float32)
