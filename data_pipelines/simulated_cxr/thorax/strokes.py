# SPDX-License-Identifier: Apache-2.0
"""Curves in space drawn as attenuation: what tubes, lines, wires and leads are made of."""

from collections.abc import Sequence

import cv2
import numpy as np

from medst_jax.data_pipelines.simulated_cxr.thorax.rays import View


def smooth_curve(points: Sequence[Sequence[float]]) -> np.ndarray:
    """Returns a smooth curve [n, 3] through control points, corners cut three times (Chaikin)."""
    curve = np.array(points, float)
    for _ in range(3):
        inner = np.stack(
            [0.75 * curve[:-1] + 0.25 * curve[1:], 0.25 * curve[:-1] + 0.75 * curve[1:]], axis=1
        )
        curve = np.concatenate([curve[:1], inner.reshape(-1, 3), curve[-1:]])
    return curve


def stroke(total: np.ndarray, view: View, curve: np.ndarray, width: float, strength: float) -> None:
    """Adds a band of `width` mm along a curve [n, 3] to `total` [S, S].

    A band thinner than a pixel is drawn a pixel wide and fainter.
    """
    canvas = np.zeros((view.size, view.size), np.uint8)
    flat = np.round(view.to_pixels(curve) * 16).astype(np.int32)
    drawn = max(round(width / view.pixel), 1)
    cv2.polylines(canvas, [flat], False, 255, drawn, cv2.LINE_AA, 4)
    total += canvas * np.float32(strength / 255 * min(1.0, width / (drawn * view.pixel)))
