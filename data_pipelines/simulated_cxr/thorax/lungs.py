# SPDX-License-Identifier: Apache-2.0
"""Path lengths of rays through aerated lung, for any state of the pleura and the diaphragm.

Along a ray a lung is one interval. Diaphragm and heart are intervals that take air away;
pleural fluid and thickening shrink the lung's interval (the lung's outer part becomes soft
tissue); a pneumothorax shrinks it too, but what it leaves is air. All of it is closed form.
"""

from dataclasses import dataclass, replace

import numpy as np

from medst_jax.data_pipelines.simulated_cxr.thorax.anatomy import Anatomy
from medst_jax.data_pipelines.simulated_cxr.thorax.rays import (
    EMPTY,
    Interval,
    View,
    cut,
    length,
    overlap,
    within,
)


@dataclass(frozen=True)
class LungShape:
    """One lung: `sign` -1 right, 1 left; mm or, for findings, severity in [0, 1]."""

    sign: int
    height: float
    peak: float  # of the diaphragm
    curve: float  # height of the dome relative to normal
    widening: float = 0.0  # mm, of the upper mediastinum
    bulge: float = 0.0  # mm that the mediastinum bulges into the lung
    bulge_at: float = 0.0  # share of the height where it does
    effusion: float = 0.0
    effusion_posterior: bool = False  # a thin layer behind the diaphragm only
    supine: bool = False
    pneumothorax: float = 0.0
    pneumothorax_basal: bool = False  # under the lung, not over it
    thickening: float = 0.0
    thickening_apical: bool = False


@dataclass(frozen=True)
class LungRays:
    """What rays see of one lung, on the window [rows, columns] of the image.

    The diaphragm is given on `floor`, the rows it reaches, and the heart on a window of its own;
    slices count pixels of the image.
    """

    sign: int
    rows: slice
    columns: slice
    inflated: Interval  # bounded by the chest wall or, if any, by fluid and thickening
    visceral: Interval  # the same without the air of a pneumothorax
    diaphragm: Interval
    floor: slice
    heart: Interval
    heart_rows: slice
    heart_columns: slice

    def air(self, inside: Interval, rows: slice, columns: slice) -> np.ndarray:
        """Returns mm of `inside` that are neither diaphragm nor heart, on a part of the window."""
        total = length(inside)
        floor = overlap(rows, self.floor)
        low = within(floor, rows)
        dome = _part(self.diaphragm, floor, columns, self.floor, self.columns)
        below = cut(_cropped(inside, low), dome)
        total[low] -= length(below)
        near_rows, near = overlap(rows, self.heart_rows), overlap(columns, self.heart_columns)
        place = within(near_rows, rows), within(near, columns)
        heart = _part(self.heart, near_rows, near, self.heart_rows, self.heart_columns)
        total[place] -= length(cut(_cropped(inside, *place), heart))
        both = overlap(floor, near_rows)
        place = within(both, rows), within(near, columns)
        beside = _cropped(below, within(both, floor), within(near, columns))
        total[place] += length(cut(beside, _cropped(heart, within(both, near_rows))))
        return total

    def within(self, body: Interval, rows: slice, columns: slice) -> np.ndarray:
        """Returns mm of `body`, given on a part of the window, that are aerated lung."""
        lung = _part(self.visceral, rows, columns, self.rows, self.columns)
        return self.air(cut(body, lung), rows, columns)


def _cropped(interval: Interval, *place: slice) -> Interval:
    return Interval(interval.enter[place], interval.leave[place])


def _part(
    interval: Interval, rows: slice, columns: slice, of_rows: slice, of_columns: slice
) -> Interval:
    """The part on [rows, columns] of an interval given on [of_rows, of_columns]."""
    return _cropped(interval, within(rows, of_rows), within(columns, of_columns))


def profile(anatomy: Anatomy, shape: LungShape, z: np.ndarray) -> tuple[np.ndarray, ...]:
    """Returns centre and half axis in x (mirrored, positive outward) and in y at heights z."""
    t = np.clip(z / shape.height, 0, 1)
    dome = np.sqrt(np.maximum(1 - t**6, 0))
    outer = anatomy.chest * (0.98 - 0.06 * t - 0.40 * t**3)
    inner = (
        anatomy.medial
        - 7 * np.abs(t - 0.5)
        + 3 * np.cos(14 * t)
        + shape.widening * np.clip((t - 0.3) * 4, 0, 1)
        + shape.bulge * np.exp(-(((t - shape.bulge_at) / 0.13) ** 2))
    )
    half_x = (outer - inner) / 2 * dome
    half_y = anatomy.depth * (1 - 0.45 * t**2) * dome
    middle_y = -6 - 0.16 * anatomy.depth * t
    return (outer + inner) / 2, half_x, middle_y, half_y


def lung_rays(
    view: View,
    anatomy: Anatomy,
    shape: LungShape,
    heart: tuple[Interval, slice, slice],
) -> LungRays:
    """Intersects the rays of a view with one lung; `heart` is as `thorax.heart` gives it."""
    sign = shape.sign
    depth = sign * anatomy.chest * 0.5 if view.lateral else 0.0
    grid, z = view.grid(depth)
    if view.lateral:
        columns, across = slice(0, view.size), grid
    else:
        hits = np.flatnonzero(sign * grid[0] > anatomy.medial * 0.5 - 8)
        columns = slice(int(hits[0]), int(hits[-1]) + 1) if hits.size else slice(0, 1)
        across = sign * grid[:, columns]
    across, z = across.astype(np.float32), z.astype(np.float32)
    lung = _superellipse(view, across, profile(anatomy, shape, z), z <= shape.height)
    inflated = lung
    if shape.effusion:
        inflated = cut(inflated, _above_fluid(view, anatomy, shape, across, z))
    if shape.thickening:
        inflated = cut(inflated, _retracted(view, anatomy, shape, across, z, _thickness(shape, z)))
    visceral = inflated
    if shape.pneumothorax:
        share = _collapse(shape, z)
        visceral = cut(inflated, _retracted(view, anatomy, shape, across, z, share))
    (left, right), heart_rows, heart_columns = heart
    if view.lateral and sign < 0:
        left, right = -right, -left
    floor = slice(int(np.count_nonzero(z >= shape.peak)), view.size)
    return LungRays(
        sign=sign,
        rows=slice(0, view.size),
        columns=columns,
        inflated=inflated,
        visceral=visceral,
        diaphragm=dome(view, anatomy, shape, across, z[floor]),
        floor=floor,
        heart=Interval(left, right),
        heart_rows=heart_rows,
        heart_columns=heart_columns,
    )


def _superellipse(
    view: View, across: np.ndarray, axes: tuple[np.ndarray, ...], valid: np.ndarray
) -> Interval:
    middle_x, half_x, middle_y, half_y = axes
    if view.lateral:
        middle_x, half_x, middle_y, half_y = middle_y, half_y, middle_x, half_x
    half = across - middle_x
    half /= np.maximum(half_x, 0.5)
    half *= half
    half *= half
    np.subtract(1, half, out=half)
    np.maximum(half, 0, out=half)
    np.sqrt(np.sqrt(half, out=half), out=half)
    half *= half_y
    half *= valid
    middle_y = np.asarray(middle_y, np.float32)
    return Interval(middle_y - half, middle_y + half)


def dome(
    view: View, anatomy: Anatomy, shape: LungShape, across: np.ndarray, z: np.ndarray
) -> Interval:
    """The diaphragm: z below peak - rise_x ((x-x0)/ax)^2 - rise_y ((y-y0)/ay)^2."""
    first = (0.47 * anatomy.chest, 0.5 * anatomy.chest, 40.0 * shape.curve)
    second = (18.0, anatomy.depth, 50.0 * shape.curve)
    (p, a, rise), (q, b, other) = (second, first) if view.lateral else (first, second)
    room = (shape.peak - z - rise * ((across - p) / a) ** 2) / other
    half = b * np.sqrt(np.maximum(room, 0))
    return Interval(q - half, q + half)


def _above_fluid(
    view: View, anatomy: Anatomy, shape: LungShape, across: np.ndarray, z: np.ndarray
) -> Interval:
    """Upright fluid climbs along the chest wall (meniscus); supine it layers posteriorly."""
    middle_x, half_x, middle_y, half_y = profile(anatomy, shape, z)
    if view.lateral:
        middle_x, half_x, middle_y, half_y = middle_y, half_y, middle_x, half_x
    if shape.effusion_posterior:
        if view.lateral:
            start = middle_x - half_x + (7 + 9 * shape.effusion)
            behind = (across < start) & (z < shape.peak - 2)
            return Interval(
                np.where(behind, EMPTY, -EMPTY).astype(np.float32),
                np.where(behind, -EMPTY, EMPTY).astype(np.float32),
            )
        layer = (7 + 9 * shape.effusion) * np.clip((shape.peak - 2 - z) / 8, 0, 1)
        back = (middle_y - half_y + layer).astype(np.float32)
        return Interval(back, np.full_like(back, EMPTY))
    severity = shape.effusion * (0.45 if shape.supine else 1.0)
    level = -58 + 95 * severity
    climb = 26 + 30 * severity
    rise = np.clip((z - level) / climb, 0, 1)
    radius = np.where(rise >= 1, 9.0, 1.5 * np.sqrt(rise))
    ratio = (across - middle_x) / np.maximum(half_x, 0.5)
    free = np.sqrt(np.maximum(radius - ratio * ratio, 0)) * half_y
    above = np.where(free > 0, middle_y - free, EMPTY).astype(np.float32)
    interior = Interval(above, np.where(free > 0, middle_y + free, -EMPTY).astype(np.float32))
    if not shape.supine or view.lateral:
        return interior
    layer = 75 * shape.effusion * np.clip(1.25 - z / shape.height, 0, 1)
    back = (middle_y - half_y + layer).astype(np.float32)
    return Interval(np.maximum(interior.enter, back), interior.leave)


def _thickness(shape: LungShape, z: np.ndarray) -> np.ndarray:
    t = np.clip(z / shape.height, 0, 1)
    where = (
        np.clip((t - 0.55) * 4, 0, 1)
        if shape.thickening_apical
        else np.exp(-(((t - 0.3) / 0.3) ** 2))
    )
    return (0.06 + 0.2 * shape.thickening) * where


def _collapse(shape: LungShape, z: np.ndarray) -> np.ndarray:
    t = np.clip(z / shape.height, 0, 1)
    if shape.pneumothorax_basal:
        return (0.55 * shape.pneumothorax + 0.1) * np.clip(1.1 - 3.2 * t, 0, 1)
    return np.clip(shape.pneumothorax * (0.11 + 0.46 * t**1.3) + 0.045, 0, 0.75)


def _retracted(
    view: View,
    anatomy: Anatomy,
    shape: LungShape,
    across: np.ndarray,
    z: np.ndarray,
    share: np.ndarray,
) -> Interval:
    """The lung with its outer `share` [H, 1] of the width taken away, its apex lowered with it."""
    lowered = 0.0 if shape.pneumothorax_basal else 0.45 * float(share.max())
    lower = replace(shape, height=shape.height * (1 - lowered))
    middle_x, half_x, middle_y, half_y = profile(anatomy, lower, z)
    axes = (middle_x - half_x * share, half_x * (1 - share), middle_y, half_y * (1 - 0.7 * share))
    return _superellipse(view, across, axes, z <= lower.height)
