# SPDX-License-Identifier: Apache-2.0
"""Soft tissue: the trunk with neck, shoulders and breasts, the heart, great vessels, trachea.

Attenuation is in natural-log units; `MU` is that of soft tissue per mm at chest X-ray energies.
"""

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np

from medst_jax.data_pipelines.simulated_cxr.thorax.anatomy import Anatomy
from medst_jax.data_pipelines.simulated_cxr.thorax.rays import (
    EMPTY,
    Interval,
    View,
    ellipsoid,
    length,
    rotation,
    within,
)

MU = 0.0165


def trunk(view: View, anatomy: Anatomy, height: float) -> np.ndarray:
    """Returns the attenuation [H, W] of the body as if lungs were soft tissue."""
    grid, z = (v.astype(np.float32) for v in view.grid())
    across = np.abs(grid)
    thick = anatomy.fat
    if view.lateral:
        half = anatomy.chest + 0.8 * thick
        front = anatomy.depth + 10 + 0.9 * thick - 12 * np.clip((z - 120) / 100, 0, 2)
        back = anatomy.depth + 26 + 0.7 * thick
        ratio = np.where(grid > 0, grid / front, -grid / back)
        path = 2 * half * np.sqrt(np.maximum(1 - ratio**4, 0)) * 0.92
        arms = 190 * np.clip((z - 0.86 * height) / 60, 0, 1)
        return MU * (path + arms * np.exp(-(((grid + 10) / 70) ** 2)))
    wall = anatomy.chest + 8 + thick
    reach = wall + np.clip((z - 0.5 * height) / (0.4 * height), 0, 1) * (195 + 0.5 * thick - wall)
    ratio = np.minimum(across / reach, 1)
    ratio = ratio * ratio
    depth = (anatomy.depth + 14 + 0.75 * thick) * (
        1 - 0.42 * np.clip((z - 0.75 * height) / (0.35 * height), 0, 1)
    )
    top = height + 42 + 0.3 * thick - 0.42 * np.maximum(across - 55, 0)
    edge = np.clip((top - z) / 26, 0, 1)
    path = 2 * depth * np.sqrt(np.maximum(1 - ratio * ratio, 0)) * np.sqrt(edge)
    neck = 2 * np.sqrt(np.maximum((56 + 0.2 * thick) ** 2 - across**2, 0)) * (z > 0.8 * height)
    return MU * np.maximum(path, 0.9 * neck)


def breasts(view: View, anatomy: Anatomy) -> np.ndarray:
    """Returns the attenuation [H, W] of the breasts (zeros when there are none)."""
    total = np.zeros((view.size, view.size), np.float32)
    radius = anatomy.breast * (1 + 0.012 * (anatomy.fat - 20))
    for sign in (-1, 1) if radius else ():
        middle = (sign * 0.56 * anatomy.chest, anatomy.depth + 2.0, 50.0 - 0.35 * radius)
        body, rows, columns = ellipsoid(
            view, middle, np.array([1.05, 0.8, 1.1]) * radius, np.eye(3)
        )
        path = np.maximum(body.leave - body.enter, 0)
        # A soft rim: the tissue thins out towards the chest wall.
        total[rows, columns] += (0.6 * MU / (2 * radius)) * path * path
    return total


def heart(
    view: View, anatomy: Anatomy, base: float, scale: float, shift: float
) -> tuple[Interval, slice, slice]:
    """Returns the interval of the heart standing on a diaphragm at height `base`.

    It is given on a window of the image, which follows as (rows, columns); outside it is empty.
    """
    size = anatomy.heart * scale
    orientation = rotation(anatomy.heart_tilt)
    left = (22 * scale + shift, 30.0, base + 24 * size)
    right = (-14 + shift, 22.0, base + 34 * size)
    trunk_of_artery = (12 + 4 * scale + shift, 18.0, base + 78 * size)
    chambers = [
        ellipsoid(view, left, np.array([68.0, 48.0, 46.0]) * size, orientation),
        ellipsoid(view, right, np.array([40.0, 40.0, 52.0]) * size, np.eye(3)),
        ellipsoid(view, trunk_of_artery, np.array([31.0, 30.0, 44.0]) * size, rotation(0.35)),
    ]
    rows = _around([part for _, part, _ in chambers])
    columns = _around([part for _, _, part in chambers])
    shape = (rows.stop - rows.start, columns.stop - columns.start)
    enter, leave = np.full(shape, EMPTY, np.float32), np.full(shape, -EMPTY, np.float32)
    for body, part_rows, part_columns in chambers:
        place = within(part_rows, rows), within(part_columns, columns)
        enter[place] = np.minimum(enter[place], body.enter)
        leave[place] = np.maximum(leave[place], body.leave)
    return Interval(enter, leave), rows, columns


def _around(parts: Sequence[slice]) -> slice:
    """The smallest slice that holds all that are not empty."""
    full = [part for part in parts if part.stop > part.start]
    if not full:
        return slice(0, 0)
    return slice(min(part.start for part in full), max(part.stop for part in full))


def airways(view: View, height: float, shift: float) -> np.ndarray:
    """Returns mm of air [H, W] in the trachea and the main bronchi."""
    carina = 0.62 * height
    across = [[shift, -18.0, height + 70], [shift, -26.0, carina]]
    canvas = np.zeros((view.size, view.size), np.uint8)
    wide = max(round(15 / view.pixel), 1)
    ends = [across, [across[1], [-46, -20, carina - 34]], [across[1], [50, -24, carina - 42]]]
    for index, pair in enumerate(ends):
        flat = np.round(view.to_pixels(np.array(pair, float)) * 16).astype(np.int32)
        thick = wide if index == 0 else max(round(0.7 * wide), 1)
        cv2.polylines(canvas, [flat], False, 120 if index else 160, thick, cv2.LINE_AA, 4)
    return canvas * np.float32(12 / 160)


@lru_cache(maxsize=8)
def _tree(key: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns segments [n, 2, 3] in units of the lung (x outward, y, z) and their widths in mm."""
    rng = np.random.default_rng(key)
    count = 22
    sign = np.repeat([-1.0, 1.0], count // 2)[:, None]
    angle = np.tile(np.linspace(-1.45, 1.45, count // 2), 2) + rng.normal(0, 0.1, count)
    start = np.stack(
        [np.full(count, 0.26), rng.normal(0, 0.1, count), np.full(count, 0.42)], axis=1
    )
    reach = np.stack(
        [0.62 * np.cos(angle), rng.normal(0, 0.45, count), 0.52 * np.sin(angle)], axis=1
    )
    middle = start + 0.45 * reach + rng.normal(0, 0.03, (count, 3))
    segments, widths = [np.stack([start, middle], axis=1)], [rng.uniform(5, 9, count)]
    for _ in range(3):
        tip = start + reach * rng.uniform(0.75, 1.05, (count, 1)) + rng.normal(0, 0.1, (count, 3))
        bend = (middle + tip) / 2 + rng.normal(0, 0.03, (count, 3))
        segments += [np.stack([middle, bend], axis=1), np.stack([bend, tip], axis=1)]
        widths += [rng.uniform(2.4, 4.4, count), rng.uniform(1.2, 2.4, count)]
    mirrored = np.concatenate(segments)
    mirrored[..., 0] *= np.tile(sign, (len(segments), 1))
    return mirrored, np.concatenate(widths)


def vessels(view: View, anatomy: Anatomy, height: float) -> np.ndarray:
    """Returns mm of blood [H, W] in the pulmonary vessels, not yet clipped to the lungs."""
    segments, widths = _tree(anatomy.key)
    scale = np.array([anatomy.chest, anatomy.depth, height])
    ends = view.to_pixels((segments * scale).reshape(-1, 3)).reshape(-1, 2, 2)
    fixed = np.round(ends * 16).astype(np.int32)
    total = np.zeros((view.size, view.size), np.float32)
    for low, high in ((0, 2), (2, 3.2), (3.2, 5), (5, 7), (7, 9)):
        chosen = (widths >= low) & (widths < high)
        if not chosen.any():
            continue
        width = widths[chosen].mean() * anatomy.vessels
        drawn = max(round(width / view.pixel), 1)
        canvas = np.zeros((view.size, view.size), np.uint8)
        cv2.polylines(canvas, list(fixed[chosen]), False, 200, drawn, cv2.LINE_AA, 4)
        total += canvas * np.float32(width / 200 * min(width / (drawn * view.pixel), 1.0))
    return total


def aorta(view: View, anatomy: Anatomy, tortuous: float) -> np.ndarray:
    """Returns the attenuation of knob and descending aorta."""
    total = np.zeros((view.size, view.size), np.float32)
    radius = anatomy.knob * (1 + 0.5 * tortuous)
    bodies = [
        ((16.0 + 16 * tortuous, -15.0, 0.72 * anatomy.height), (radius, 30.0, radius)),
        ((14.0 + 34 * tortuous, -45.0, 0.40 * anatomy.height), (13.0, 13.0, 90.0)),
    ]
    for centre, axes in bodies:
        body, rows, columns = ellipsoid(view, centre, np.array(axes), np.eye(3))
        total[rows, columns] += (0.45 + 0.5 * tortuous) * MU * length(body)
    return total


def stomach(view: View, anatomy: Anatomy, peak: float) -> np.ndarray:
    """Returns the attenuation that the gastric bubble takes away, [H, W]."""
    total = np.zeros((view.size, view.size), np.float32)
    if anatomy.gastric:
        radius = anatomy.gastric
        body, rows, columns = ellipsoid(
            view, (62.0, 8.0, peak - radius - 9), radius * np.array([1.4, 1.1, 0.8]), np.eye(3)
        )
        total[rows, columns] = MU * length(body)
    return total
