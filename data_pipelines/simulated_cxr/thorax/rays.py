# SPDX-License-Identifier: Apache-2.0
"""The detector grid and where its rays enter and leave simple bodies.

A view is a grid of rays parallel to one axis: y for frontal images, x for laterals. Divergence
of the beam is kept as a magnification per body, which depends on the distance of the body from
the detector (weak perspective): this makes the heart larger on an AP than on a PA image.
An interval is a pair (enter, leave) in mm along the ray; it is empty when enter >= leave.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

CENTRE = 88.0  # height of the central ray, mm
EMPTY = np.float32(1e6)


class Interval(NamedTuple):
    """Where rays enter and leave a body, each float32 [H, W] or broadcastable to it."""

    enter: np.ndarray
    leave: np.ndarray


@dataclass(frozen=True)
class View:
    """Rays of one image. Views are PA, AP and LATERAL; mm per pixel is at the isocentre."""

    name: str
    size: int
    pixel: float
    shift: tuple[float, float]  # mm, horizontal and vertical
    twist: float  # rotation of the patient about z, radians
    tilt: float  # rotation in the detector's plane, radians
    distance: float  # source to isocentre, mm

    @property
    def lateral(self) -> bool:
        return self.name == "LATERAL"

    def magnification(self, depth: float) -> float:
        """Returns the magnification of a body `depth` mm in front (lateral: left) of x = y = 0."""
        towards_source = depth if self.name == "AP" else -depth
        return self.distance / (self.distance - towards_source)

    def grid(self, depth: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """Returns body coordinates of the rays at `depth`: x [1, W] (lateral: y) and z [H, 1]."""
        steps = (np.arange(self.size, dtype=np.float32) - (self.size - 1) / 2) * self.pixel
        scale = self.magnification(depth)
        across = (steps - self.shift[0]) / scale - self.twist * depth
        height = CENTRE - (steps - self.shift[1]) / scale
        return (-across if self.lateral else across)[None, :], height[:, None]

    def to_pixels(self, points: np.ndarray) -> np.ndarray:
        """Projects points [n, 3] in mm to (column, row) [n, 2] in pixels."""
        x, y, z = points[:, 0], points[:, 1], points[:, 2]
        depth = x if self.lateral else y
        towards_source = depth if self.name == "AP" else -depth
        scale = self.distance / (self.distance - towards_source)
        across = ((-y if self.lateral else x) + self.twist * depth) * scale + self.shift[0]
        down = (CENTRE - z) * scale + self.shift[1]
        return np.stack([across, down], axis=1) / self.pixel + (self.size - 1) / 2


def ellipsoid(
    view: View, centre: tuple[float, float, float], axes: np.ndarray, orientation: np.ndarray
) -> tuple[Interval, slice, slice]:
    """Intersects the rays with an ellipsoid.

    Args:
      view: the rays.
      centre: x, y, z in mm.
      axes: [3] half axes in mm.
      orientation: [3, 3] orthogonal; rows are the directions of the axes.

    Returns:
      The interval on the window of rays around the ellipsoid, and that window (rows, columns).
    """
    form = (orientation.T / axes**2) @ orientation
    along, across = (0, 1) if view.lateral else (1, 0)
    grid, height = view.grid(centre[along])
    reach = np.sqrt(np.square(orientation * np.reshape(axes, (3, 1))).sum(axis=0))
    columns = window(np.abs(grid[0] - centre[across]) <= reach[across])
    rows = window(np.abs(height[:, 0] - centre[2]) <= reach[2])
    p = (grid[:, columns] - centre[across]).astype(np.float32)
    q = (height[rows] - centre[2]).astype(np.float32)
    a = np.float32(form[along, along])
    middle: np.ndarray = np.asarray(centre[along], np.float32)
    disc = np.float32(form[across, across]) * p * p + (np.float32(form[2, 2]) * q * q - 1)
    # Most bodies are not turned: then there are no mixed terms.
    if form[across, 2]:
        disc += np.float32(2 * form[across, 2]) * p * q
    disc *= -a
    if form[along, across] or form[along, 2]:
        b = np.float32(form[along, across]) * p + np.float32(form[along, 2]) * q
        disc += b * b
        middle = middle - b / a
    outside = disc <= 0
    half = np.sqrt(np.maximum(disc, 0, out=disc), out=disc)
    half /= a
    np.copyto(half, -EMPTY, where=outside)
    return Interval(middle - half, middle + half), rows, columns


def overlap(first: slice, second: slice) -> slice:
    """Returns the part of two slices that both hold; empty as (k, k)."""
    start = max(first.start, second.start)
    return slice(start, max(min(first.stop, second.stop), start))


def within(part: slice, whole: slice) -> slice:
    """Returns `part` counted from the start of `whole`."""
    return slice(part.start - whole.start, part.stop - whole.start)


def window(inside: np.ndarray) -> slice:
    """Returns the slice from the first to the last true element of a vector."""
    hits = np.flatnonzero(inside)
    return slice(int(hits[0]), int(hits[-1]) + 1) if hits.size else slice(0, 0)


def rotation(angle: float) -> np.ndarray:
    """Returns the rotation of the x and z axes by `angle` about y."""
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, 0.0, -sine], [0.0, 1.0, 0.0], [sine, 0.0, cosine]])


def cut(first: Interval, second: Interval) -> Interval:
    """Returns the intersection of two intervals."""
    return Interval(np.maximum(first.enter, second.enter), np.minimum(first.leave, second.leave))


def length(interval: Interval) -> np.ndarray:
    """Returns the path length in mm, 0 where the interval is empty."""
    return np.maximum(interval.leave - interval.enter, 0)
