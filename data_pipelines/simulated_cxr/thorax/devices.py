# SPDX-License-Identifier: Apache-2.0
"""Support devices: tubes, lines, pacemakers and sternal wires, drawn as attenuation."""

import cv2
import numpy as np

from medst_jax.data_pipelines.simulated_cxr.thorax.anatomy import Anatomy
from medst_jax.data_pipelines.simulated_cxr.thorax.rays import View
from medst_jax.data_pipelines.simulated_cxr.thorax.strokes import smooth_curve, stroke


def _box(view: View, centre: list[float], half: float, strength: float) -> np.ndarray:
    canvas = np.zeros((view.size, view.size), np.uint8)
    flat = np.round(view.to_pixels(np.array([centre])) * 16).astype(np.int32)[0]
    axes = (int(half / view.pixel * 16), int(0.85 * half / view.pixel * 16))
    if view.lateral:
        axes = (int(axes[0] * 0.35), axes[1])
    cv2.ellipse(canvas, flat.tolist(), axes, 20, 0, 360, 255, -1, cv2.LINE_AA, 4)
    return canvas * np.float32(strength / 255)


def draw_devices(
    view: View, anatomy: Anatomy, height: float, kinds: tuple[str, ...], key: int
) -> np.ndarray:
    """Returns the attenuation [H, W] of devices; `key` fixes their position."""
    rng = np.random.default_rng(key)
    total = np.zeros((view.size, view.size), np.float32)
    jitter = rng.normal(0, 4, size=8)
    top, carina = height + 90.0, 0.62 * height
    side = -1 if rng.random() < 0.7 else 1
    front = anatomy.depth
    if "ett" in kinds:
        tip = carina + 35 + 2 * jitter[0]
        stroke(total, view, smooth_curve([[0, -14, top], [jitter[1] / 3, -20, tip]]), 6.5, 0.7)
    if "enteric" in kinds:
        path = [[4, -24, top], [2, -30, carina], [8 + jitter[2], -34, 40], [40, 0, -40]]
        stroke(total, view, smooth_curve([*path, [70.0 + jitter[3], 20.0, -70.0]]), 4.0, 0.74)
    if "line" in kinds:
        end = [-20 + jitter[4] / 2, 10, 0.42 * height + 2 * jitter[5]]
        start = [[side * 150, 40, height - 20], [side * 75, 45, height + 2]]
        if rng.random() < 0.5:
            start = [[side * 42, 10, top], [side * 40, 15, height + 25]]
        stroke(total, view, smooth_curve([*start, [-12, 20, 0.78 * height], end]), 3.2, 0.9)
    if "pacemaker" in kinds:
        place = [100.0 + jitter[6], front + 8, 0.72 * height + jitter[7]]
        total += _box(view, place, 24.0, 1.0)
        lead = [place, [70, 40, height - 8], [-8, 22, 0.75 * height], [-26, 20, 75]]
        stroke(total, view, smooth_curve([*lead, [2, 50, 26], [48 + jitter[1], 60, 22]]), 2.6, 0.88)
    if "wires" in kinds:
        for step in range(5):
            z = 0.72 * height - 26 * step
            loop = [[-8, front, z + 5], [8, front, z - 5], [-8, front, z - 5], [8, front, z + 5]]
            stroke(total, view, smooth_curve(loop), 2.4, 0.86)
    if "chest_tube" in kinds:
        path = [[side * 150, 0, 50], [side * 110, -30, 70], [side * 70, -30, 0.8 * height]]
        stroke(total, view, smooth_curve(path), 6.0, 0.72)
    return total
