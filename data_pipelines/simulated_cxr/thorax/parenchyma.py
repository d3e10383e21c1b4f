# SPDX-License-Identifier: Apache-2.0
"""Findings of the whole lung: edema and fibrosis."""

import numpy as np

from medst_jax.data_pipelines.simulated_cxr.findings.states import Finding
from medst_jax.data_pipelines.simulated_cxr.thorax.focal import Lungs
from medst_jax.data_pipelines.simulated_cxr.thorax.rays import View
from medst_jax.data_pipelines.simulated_cxr.thorax.texture import smooth_noise, soften
from medst_jax.data_pipelines.simulated_cxr.thorax.thorax import MU


def edema(
    view: View, finding: Finding, lungs: Lungs, blood: np.ndarray, air: np.ndarray
) -> np.ndarray:
    """Grade 1 fuller vessels, most above the hila, and full hila; 2 interstitial lines, 3 alveolar opacity.

    `blood` is mm of vessel and `air` mm of aerated lung, [S, S].
    """
    severity = finding.severity
    grid, z = (v.astype(np.float32) for v in view.grid())
    hilum = 0.40 * lungs[1][0].height
    spread = np.float32(46 + 34 * severity)
    x = grid + 12 if view.lateral else np.abs(grid) - 46
    near = np.exp(-(x * x) / (2 * spread**2)) * np.exp(-((z - hilum) ** 2) / (2 * spread**2))
    rng = np.random.default_rng((finding.key, 4))
    patchy = 1 + 0.5 * smooth_noise(rng, air.shape, 12)
    lines = np.abs(smooth_noise(rng, air.shape, 40))
    water = 0.055 + 0.03 * severity + 0.1 * min(max(3 * severity - 1.7, 0.0), 1.0)
    haze = air * near * np.clip(patchy, 0.1, 2) * np.float32(water)
    net = 0.012 + 0.075 * min(max(4 * severity - 1.0, 0.0), 1.0)
    mesh = air * lines * (0.4 + 0.6 * near) * np.float32(net)
    aerated = np.clip(air / 50, 0, 1)
    upper = np.where(z > hilum, np.float32(1.5), np.float32(0.5))
    # The hila are full of blood before the lung is of water; vessels' outlines are soft.
    full = np.float32(1.15) * blood * upper + np.float32(12) * _hila(view, x, z - hilum)
    full = soften(full * aerated, 2.5 / view.pixel)
    return soften(np.float32(MU) * (haze + mesh + full), 1.5 / view.pixel)


def _hila(view: View, x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Where the hila are, 0 to 1, at mm beside and above them."""
    wide = np.float32(22 if view.lateral else 17)
    return np.exp(-(x * x) / (2 * wide**2)) * np.exp(-(z * z) / np.float32(2 * 26**2))


def fibrosis(view: View, finding: Finding, lungs: Lungs, air: np.ndarray) -> np.ndarray:
    """A coarse net in the outer and lower lung; the loss of volume is in the lung's shape."""
    shape = lungs[1][0]
    grid, z = (v.astype(np.float32) for v in view.grid())
    base = np.clip(1.2 - z / (0.6 * shape.height), 0, 1)
    if view.lateral:
        base = base * np.clip(0.5 - grid / 120, 0, 1)
    else:
        base = base * np.clip(np.abs(grid) / 80 - 0.25, 0, 1)
    rng = np.random.default_rng((finding.key, 5))
    ridge = np.abs(smooth_noise(rng, air.shape, 52)) + 0.6 * np.abs(
        smooth_noise(rng, air.shape, 34)
    )
    net = np.maximum(0.75 - ridge, 0) * np.clip(1 + smooth_noise(rng, air.shape, 7), 0, 2)
    total = np.float32(MU * (22 + 56 * finding.severity)) * net * base * np.clip(air / 60, 0, 1)
    return soften(total.astype(np.float32), 1.0 / view.pixel)
