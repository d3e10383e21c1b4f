# SPDX-License-Identifier: Apache-2.0
"""Attenuation of ribs, clavicles, scapulae and spine: bands along space curves, projected."""

from dataclasses import dataclass

import cv2
import numpy as np

from medst_jax.data_pipelines.simulated_cxr.thorax.anatomy import Anatomy
from medst_jax.data_pipelines.simulated_cxr.thorax.rays import View, window

SUBPIXEL = 4  # fractional bits of cv2's coordinates
RIBS = 10
SPACING = 0.103  # between ribs at the spine, of the height of the lungs


@dataclass(frozen=True)
class Break:
    """A displaced rib: `sign` -1 right, 1 left; angle from the spine; displacement in mm."""

    sign: int
    rib: int
    angle: float
    displacement: float


def rib_curves(
    anatomy: Anatomy, height: float, signs: np.ndarray, ribs: np.ndarray, angles: np.ndarray
) -> np.ndarray:
    """Returns points [k, n, 3] of k ribs at n angles from the spine (0) to the sternum (pi)."""
    start = (height + 8 - ribs * SPACING * height)[:, None]
    t = np.clip((start - 20) / height, 0, 1)
    half = anatomy.chest * (1.0 - 0.06 * t - 0.40 * t**3) + 3
    x = 16 + (half - 16) * np.sin(angles) ** 0.8
    y = -8 - anatomy.depth * 0.16 * t - (anatomy.depth * (1 - 0.45 * t**2) + 4) * np.cos(angles)
    drop = anatomy.rib_slope * (60 + 150 * np.minimum(ribs / 4, 1.0))[:, None]
    z = start - drop * ((1 - np.cos(angles)) / 2) ** 1.2
    return np.stack([signs[:, None] * x, y, z], axis=2)


def bands(points: np.ndarray, *half_widths: np.ndarray) -> list[np.ndarray]:
    """Returns outlines [k, 2n, 2] of bands along curves, one for each half width.

    Half widths broadcast to [k, n].
    """
    along = np.empty_like(points)
    along[:, 1:-1] = points[:, 2:] - points[:, :-2]
    along[:, 0] = points[:, 1] - points[:, 0]
    along[:, -1] = points[:, -1] - points[:, -2]
    norm = np.maximum(np.hypot(along[..., 0], along[..., 1]), 1e-3)
    count = points.shape[1]
    outlines = []
    for half_width in half_widths:
        reach = half_width / norm
        offset = np.stack([-along[..., 1] * reach, along[..., 0] * reach], axis=2)
        outline = np.empty((len(points), 2 * count, 2), points.dtype)
        outline[:, :count] = points + offset
        outline[:, : count - 1 : -1] = points - offset
        outlines.append(outline)
    return outlines


def fill(canvas: np.ndarray, outlines: np.ndarray, value: int) -> None:
    """Fills outlines [k, n, 2] (column, row) with anti-aliased edges; later cover earlier."""
    for outline in np.round(outlines * 2**SUBPIXEL).astype(np.int32):
        cv2.fillPoly(canvas, [outline], value, cv2.LINE_AA, SUBPIXEL)


def ribs(view: View, anatomy: Anatomy, height: float) -> np.ndarray:
    """Returns the attenuation [H, W] of the rib cage."""
    signs = np.repeat((-1, 1), RIBS)
    return _drawn(view, anatomy, height, signs, np.tile(np.arange(RIBS), 2), None)


def fracture(view: View, anatomy: Anatomy, height: float, broken: Break) -> np.ndarray:
    """Returns the attenuation [H, W] that a displaced rib and the callus at the break add."""
    sign, rib = np.array([broken.sign]), np.array([broken.rib])
    shifted = _drawn(view, anatomy, height, sign, rib, broken)
    return (
        shifted
        - _drawn(view, anatomy, height, sign, rib, None)
        + _callus(view, anatomy, height, broken)
    )


def _drawn(
    view: View,
    anatomy: Anatomy,
    height: float,
    signs: np.ndarray,
    numbers: np.ndarray,
    broken: Break | None,
) -> np.ndarray:
    """Attenuation of the ribs of the given sides and numbers; bands of one canvas do not add."""
    total = np.zeros((view.size, view.size), np.float32)
    width = anatomy.rib_width / view.pixel
    for first, last, count, strength in ((0.12, 1.75, RIBS, 0.24), (1.75, 2.55, RIBS - 3, 0.14)):
        angles = np.linspace(first, last, 12)
        for chosen in ((-1,), (1,)) if view.lateral else ((-1, 1),):
            keep = (numbers < count) & ((signs == chosen[0]) | (signs == chosen[-1]))
            if not keep.any():
                continue
            points = rib_curves(anatomy, height, signs[keep], numbers[keep], angles)
            if broken is not None:
                points[..., 2] -= broken.displacement * (angles > broken.angle)
            flat = view.to_pixels(points.reshape(-1, 3)).reshape(len(points), -1, 2)
            half = width * np.where(numbers[keep] == 0, 0.62, 1.0)[:, None]
            canvas = np.zeros((view.size, view.size), np.uint8)
            outer, inner = bands(flat, half, 0.62 * half)
            fill(canvas, outer, 150)
            fill(canvas, inner, 88)
            total += canvas * np.float32(anatomy.bone * strength / 150)
    return total


def _callus(view: View, anatomy: Anatomy, height: float, broken: Break) -> np.ndarray:
    """Attenuation of callus and haematoma around a break: a spindle between the two ends."""
    sign, rib = np.array([broken.sign]), np.array([broken.rib])
    angles = broken.angle + np.linspace(-0.2, 0.2, 9)
    points = rib_curves(anatomy, height, sign, rib, angles)[0]
    points[:, 2] -= 0.5 * broken.displacement
    bulge = (5 + 0.42 * broken.displacement) * np.sin(np.linspace(0.15, np.pi - 0.15, 9))
    canvas = np.zeros((view.size, view.size), np.uint8)
    fill(canvas, bands(view.to_pixels(points)[None], bulge / view.pixel)[0], 255)
    return canvas * np.float32(anatomy.bone * 0.78 / 255)


def haematoma(view: View, anatomy: Anatomy, height: float, broken: Break) -> np.ndarray:
    """Returns the attenuation [H, W] of blood between chest wall and pleura beside a break."""
    sign, rib = np.array([broken.sign]), np.array([broken.rib])
    point = rib_curves(anatomy, height, sign, rib, np.array([broken.angle]))[0]
    size = 10 + 1.1 * broken.displacement
    point[0, 0] -= broken.sign * 0.4 * size
    column, row = view.to_pixels(point)[0]
    steps = np.arange(view.size, dtype=np.float32)
    across = np.exp(-(((steps - np.float32(column)) * np.float32(view.pixel / (0.6 * size))) ** 2))
    down = np.exp(-(((steps - np.float32(row)) * np.float32(view.pixel / size)) ** 2))
    return np.float32(0.28 + 0.018 * broken.displacement) * down[:, None] * across[None, :]


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
        curve = view.to_pixels(points)[None]
        half = 6.5 / view.pixel * (1 + 0.35 * np.cos(6.3 * steps))
        outer, inner = bands(curve, half, half * 0.6)
        fill(canvas, outer, 150)
        fill(canvas, inner, 95)
        inward = 0.0 if view.name == "PA" else 0.14
        corners = np.array([[1.3, 1.02], [1.0 - inward, 0.92], [0.9 - inward, 0.3], [1.06, 0.5]])
        blade = [[sign * u * anatomy.chest, -80.0, v * height] for u, v in corners]
        fill(flat, view.to_pixels(np.array(blade))[None], 90)
        shoulder = sign * (anatomy.chest + 34 + 0.3 * anatomy.fat)
        arm = np.array([[shoulder, -30.0, height + rise - 8], [shoulder + sign * 22, -30.0, 20.0]])
        steps_down = arm[0] + (arm[1] - arm[0]) * steps[:, None]
        thick = np.where(steps < 0.12, 24.0, 12.0) / view.pixel
        fill(canvas, bands(view.to_pixels(steps_down)[None], thick)[0], 120)
    total += canvas * np.float32(anatomy.bone * 0.42 / 150)
    total += flat * np.float32(anatomy.bone * 0.14 / 90)
    return total


def spine(
    view: View, anatomy: Anatomy, curvature: float, wedge: tuple[int, float] = (0, 0.0)
) -> np.ndarray:
    """Returns the attenuation of the vertebrae, [H, W].

    `curvature` is a scoliosis in mm; `wedge` is a vertebra, counted upwards from the diaphragm,
    and the share of its height that is lost.
    """
    grid, z = view.grid(0.0 if view.lateral else -70.0)
    number, loss = wedge
    phase = 2 * np.pi * z / 22.0 + anatomy.key % 7
    body = 0.76 + 0.24 * np.clip(2.2 * np.cos(phase) + 0.9, -1, 1)
    if loss:
        # The body of the vertebra shrinks towards its lower plate; what is left is denser.
        at = (2 * np.pi * number - anatomy.key % 7) * 22.0 / (2 * np.pi)
        off = (z - at) / 11
        body = np.where(np.abs(off) < 1, np.where(off > 1 - 2 * loss, -0.1, 2.15), body)
    if view.lateral:
        middle = -0.66 * anatomy.depth - 12 * np.cos((z - 90) / 110)
        off = np.square((grid - middle) / 17)
        core = np.sqrt(np.maximum(1 - off * off, 0))
        rear = np.maximum(1 - np.square((grid - middle + 30) / 16), 0)
        return (0.7 * anatomy.bone * (core * body + 0.4 * rear)).astype(np.float32)
    middle = curvature * np.sin((z + 40) / 95)
    total = np.zeros((view.size, view.size), np.float32)
    near = window(np.abs(grid[0]) < 20 + abs(curvature))
    off = np.square((grid[:, near] - middle) / 18)
    total[:, near] = 0.48 * anatomy.bone * np.sqrt(np.maximum(1 - off * off, 0)) * body
    return total
