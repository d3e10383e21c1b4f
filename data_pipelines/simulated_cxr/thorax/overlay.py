# SPDX-License-Identifier: Apache-2.0
"""What lies on a radiograph but is no finding: leads, folds, soft tissue, markers, collimation.

Leads are attenuation; they lie on the skin and are drawn for the frontal views, most often on AP
images. Markers and collimated borders are drawn on the stored grey values.
"""

import cv2
import numpy as np

from medst_jax.data_pipelines.simulated_cxr.thorax.anatomy import Anatomy
from medst_jax.data_pipelines.simulated_cxr.thorax.rays import View
from medst_jax.data_pipelines.simulated_cxr.thorax.strokes import smooth_curve, stroke

LEADS = {"AP": 0.6, "PA": 0.2, "LATERAL": 0.0}
FOLDS = {"AP": 0.75, "PA": 0.5, "LATERAL": 0.1}
PADS = 0.44
MARKED = 0.75
COLLIMATED = 0.3


def leads(rng: np.random.Generator, view: View, anatomy: Anatomy, total: np.ndarray) -> None:
    """Adds the attenuation of electrodes and their wires to `total` [S, S]."""
    if rng.random() >= LEADS[view.name]:
        return
    front = anatomy.depth + 12
    exit_x = float(rng.choice([-1, 1]) * rng.uniform(90, 170))
    exit_z = float(rng.uniform(-60, 30)) if rng.random() < 0.6 else anatomy.height + 40
    for _ in range(int(rng.integers(3, 6))):
        x = float(rng.choice([-1, 1]) * rng.uniform(35, 125))
        z = float(rng.uniform(-10, 0.95 * anatomy.height))
        spot = view.to_pixels(np.array([[x, front, z]]))[0]
        centre = np.round(spot * 16).astype(int).tolist()
        canvas = np.zeros((view.size, view.size), np.uint8)
        cv2.circle(canvas, centre, round(6.5 / view.pixel * 16), 120, -1, cv2.LINE_AA, 4)
        cv2.circle(canvas, centre, round(2.5 / view.pixel * 16), 255, -1, cv2.LINE_AA, 4)
        total += canvas * np.float32(0.5 / 255)
        middle = [0.5 * (x + exit_x) + rng.normal(0, 35), front, 0.5 * (z + exit_z)]
        middle[2] += rng.normal(0, 35)
        stroke(
            total, view, smooth_curve([[x, front, z], middle, [exit_x, front, exit_z]]), 1.6, 0.6
        )


def folds(rng: np.random.Generator, view: View, anatomy: Anatomy, total: np.ndarray) -> None:
    """Adds skin folds to `total` [S, S]: soft bands with one sharp edge, as of a pneumothorax."""
    if rng.random() >= FOLDS[view.name]:
        return
    grid, height = (v.astype(np.float32) for v in view.grid())
    for _ in range(int(rng.integers(1, 3))):
        sign = float(rng.choice([-1, 1]))
        edge = sign * rng.uniform(60, 115) + np.float32(rng.normal(0, 0.25)) * (height - 100)
        inward = np.float32(sign) * (edge - grid)
        middle, reach = rng.uniform(60, 0.9 * anatomy.height), rng.uniform(50, 90)
        along = np.exp(-(((height - middle) / np.float32(reach)) ** 2))
        band = np.exp(-inward / np.float32(rng.uniform(12, 30)), where=inward > 0, out=0 * inward)
        total += np.float32(rng.uniform(0.08, 0.28)) * band * along


def pads(rng: np.random.Generator, view: View, anatomy: Anatomy, total: np.ndarray) -> None:
    """Adds soft tissue that overlies the bases to `total` [S, S]: haze as of a small effusion."""
    grid, height = (v.astype(np.float32) for v in view.grid())
    for sign in (-1.0, 1.0):
        if rng.random() >= PADS:
            continue
        across = 0.0 if view.lateral else sign * rng.uniform(0.45, 0.8) * anatomy.chest
        wide, high = rng.uniform(25, 55, size=2)
        column = np.exp(-(((grid - np.float32(across)) / np.float32(wide)) ** 2))
        row = np.exp(-(((height - np.float32(rng.normal(0, 14))) / np.float32(high)) ** 2))
        total += np.float32(rng.uniform(0.08, 0.36)) * row * column


def annotate(rng: np.random.Generator, view: View, pixels: np.ndarray) -> None:
    """Draws a side marker and blackens a collimated border of `pixels` [S, S], in place."""
    size = view.size
    if rng.random() < COLLIMATED:
        top, bottom, left, right = (rng.random(4) ** 2 * 0.09 * size).astype(int).tolist()
        level = int(rng.integers(0, 12))
        pixels[:top], pixels[size - bottom :] = level, level
        pixels[:, :left], pixels[:, size - right :] = level, level
    if rng.random() < MARKED:
        on_left = view.lateral or rng.random() < 0.6
        letter = "L" if on_left else "R"
        across = rng.uniform(0.84, 0.92) if on_left else rng.uniform(0.03, 0.1)
        row = rng.uniform(0.08, 0.3)
        scale = size / 224 * rng.uniform(0.4, 0.6)
        place = (int(across * size), int(row * size))
        grey = int(rng.integers(200, 256))
        cv2.putText(pixels, letter, place, 0, scale, grey, max(round(size / 160), 1), cv2.LINE_AA)
