# SPDX-License-Identifier: Apache-2.0
"""Air where none should be: under the diaphragm and in the soft tissue of the chest wall."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from medst_jax.data_pipelines.simulated_cxr.findings.states import Finding
from medst_jax.data_pipelines.simulated_cxr.thorax.anatomy import Anatomy
from medst_jax.data_pipelines.simulated_cxr.thorax.lungs import LungShape, dome
from medst_jax.data_pipelines.simulated_cxr.thorax.rays import View, length
from medst_jax.data_pipelines.simulated_cxr.thorax.texture import smooth_noise
from medst_jax.data_pipelines.simulated_cxr.thorax.thorax import MU


def pneumoperitoneum(
    view: View,
    anatomy: Anatomy,
    finding: Finding,
    shapes: Mapping[int, LungShape],
    soft: np.ndarray,
) -> np.ndarray:
    """A crescent of air under the domes; supine it spreads under the front and hardly shows.

    `soft` is the trunk's attenuation [S, S], of which air can replace but a part.
    """
    total = np.zeros((view.size, view.size), np.float32)
    for sign, severity in ((-1, finding.right), (1, finding.left)):
        if not severity:
            continue
        shape = shapes[sign]
        thick = (5 + 20 * severity) * (0.3 if shape.supine else 1.0)
        grid, z = view.grid(sign * anatomy.chest * 0.5 if view.lateral else 0.0)
        across = grid if view.lateral else sign * grid
        upper = length(dome(view, anatomy, replace(shape, peak=shape.peak - 3), across, z))
        lower = length(dome(view, anatomy, replace(shape, peak=shape.peak - 3 - thick), across, z))
        near = np.clip((z - shape.peak + 55) / 35, 0, 1)
        total -= (0.8 * MU) * np.clip(upper - lower, 0, 120) * near
    return np.maximum(total, -0.6 * soft).astype(np.float32)


def subcutaneous(view: View, anatomy: Anatomy, finding: Finding, soft: np.ndarray) -> np.ndarray:
    """Dark streaks in the chest wall and the neck; `soft` is the trunk's attenuation [S, S]."""
    grid, z = view.grid()
    height = anatomy.height
    rng = np.random.default_rng((finding.key, 6))
    streaks = np.maximum(smooth_noise(rng, (view.size, view.size), 36) - 0.1, 0)
    if view.lateral:
        where = np.exp(-(((z - 0.9 * height) / 50) ** 2)) * (np.abs(grid) < anatomy.depth)
        air = (6 + 14 * finding.severity) * streaks * where
        return -np.minimum(MU * air, 0.6 * soft).astype(np.float32)
    total = np.zeros((view.size, view.size), np.float32)
    for sign, severity in ((-1, finding.right), (1, finding.left)):
        middle = anatomy.chest + 6 + 0.5 * anatomy.fat - 0.25 * np.maximum(z - 0.6 * height, 0)
        where = np.exp(-(((sign * grid - middle) / (12 + 0.4 * anatomy.fat)) ** 2))
        where = where * np.clip((z - 20) / 80, 0, 1)
        total += severity * where
    air = 44 * np.sqrt(total) * streaks
    return -np.minimum(MU * air, 0.6 * soft).astype(np.float32)
