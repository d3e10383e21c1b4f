# SPDX-License-Identifier: Apache-2.0
"""One radiograph of a patient in a state, and for every finding the difference it makes.

The attenuation is a sum over bodies. Findings that add to it (opacities, devices) are terms of
their own; findings that change the shape of a lung or of the heart cost a second evaluation of
that lung's closed-form path lengths. Nothing is rendered twice.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from medst_jax.data_pipelines.simulated_cxr.findings.states import State
from medst_jax.data_pipelines.simulated_cxr.thorax import bones, overlay, thorax
from medst_jax.data_pipelines.simulated_cxr.thorax.anatomy import Anatomy
from medst_jax.data_pipelines.simulated_cxr.thorax.detector import Scanner, expose
from medst_jax.data_pipelines.simulated_cxr.thorax.geometry import (
    GEOMETRIC,
    Geometry,
    Lungs,
    Posture,
)
from medst_jax.data_pipelines.simulated_cxr.thorax.rays import View
from medst_jax.data_pipelines.simulated_cxr.thorax.terms import Scene, terms
from medst_jax.data_pipelines.simulated_cxr.thorax.texture import smooth_noise
from medst_jax.data_pipelines.simulated_cxr.thorax.thorax import MU


@dataclass(frozen=True)
class Rendering:
    """`pixels` uint8 [S, S] and the attenuation [S, S] float32 they show.

    `deltas` [S, S] float32 is, by finding, the attenuation with minus without it; `clarity`
    [S, S] the share of the dose that is not scattered, by which contrast is lowered.
    """

    pixels: np.ndarray
    attenuation: np.ndarray
    deltas: Mapping[str, np.ndarray]
    clarity: np.ndarray


def render(
    rng: np.random.Generator,
    anatomy: Anatomy,
    state: State,
    view: View,
    posture: Posture,
    scanner: Scanner,
    exposure: float = 0.0,
) -> Rendering:
    """Renders one image of a patient in a state, with the difference each finding makes.

    `exposure` is in deviations of the site's usual variation of the display window.
    """
    geometry = Geometry(view, anatomy, posture)
    lungs = geometry.lungs(state)
    blood = thorax.vessels(view, anatomy, anatomy.height)
    soft = thorax.trunk(view, anatomy, anatomy.height)
    spine, aorta = bones.spine(view, anatomy, 0.0), thorax.aorta(view, anatomy, 0.0)
    added = terms(Scene(view, anatomy, lungs, blood, soft, spine, aorta), state)
    total = soft + thorax.breasts(view, anatomy)
    total += bones.ribs(view, anatomy, anatomy.height)
    total += spine
    if not view.lateral:
        total += bones.girdle(view, anatomy, anatomy.height)
    total += aorta
    chest = _blood(lungs, blood) - lungs.saved
    total += chest
    total -= MU * thorax.airways(view, anatomy.height, 0.0)
    total -= thorax.stomach(view, anatomy, anatomy.domes[1] - posture.breath)
    deltas = {}
    for name, term in added.items():
        total += term
        deltas[name] = term
    for name in GEOMETRIC:
        if name in state:
            without = {other_name: f for other_name, f in state.items() if other_name != name}
            other = geometry.lungs(without)
            change = chest - (_blood(other, blood) - other.saved)
            deltas[name] = deltas[name] + change if name in deltas else change
    overlay.leads(rng, view, anatomy, total)
    overlay.folds(rng, view, anatomy, total)
    overlay.pads(rng, view, anatomy, total)
    # Tissue is never uniform: a little structure at all scales.
    coarse, fine = (smooth_noise(rng, total.shape, cells) for cells in (8, 40))
    coarse *= np.float32(0.014)
    coarse += 1
    fine *= np.float32(0.008)
    coarse += fine
    total *= coarse
    np.maximum(total, 0, out=total)
    turned = {name: _rotate(delta, view.tilt) for name, delta in deltas.items()}
    total = _rotate(total, view.tilt)
    pixels, clarity = expose(rng, total, view.pixel, scanner, view.name == "AP", exposure)
    overlay.annotate(rng, view, pixels)
    return Rendering(pixels=pixels, attenuation=total, deltas=turned, clarity=clarity)


def _blood(lungs: Lungs, blood: np.ndarray) -> np.ndarray:
    """Returns the attenuation of the vessels inside aerated lung; `blood` is in mm, [S, S]."""
    return np.float32(MU * 1.15) * blood * np.clip(lungs.air * np.float32(1 / 50), 0, 1)


def _rotate(image: np.ndarray, angle: float) -> np.ndarray:
    size = image.shape[0]
    middle = ((size - 1) / 2, (size - 1) / 2)
    matrix = cv2.getRotationMatrix2D(middle, float(np.degrees(angle)), 1.0)
    return cv2.warpAffine(
        image.astype(np.float32, copy=False), matrix, (size, size), borderMode=cv2.BORDER_REPLICATE
    )
