# SPDX-License-Identifier: Apache-2.0
"""The confounding dial: how strongly technique and devices go with disease.

A study is `sick` when one of `TIED_FINDINGS` is present. With strength r, a share r of the studies
take their view, their devices and their exposure from that: AP, devices and a low exposure when
sick, PA, none and a high one when not. The others draw them as everywhere, independently. A
negative strength ties them the other way round. At r = 0 nothing is drawn or changed.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from medst_jax.data_pipelines.simulated_cxr.findings.findings import RENDERED
from medst_jax.data_pipelines.simulated_cxr.findings.states import Finding, State, onset

TIED_FINDINGS = ("Edema", "Consolidation", "Atelectasis", "Pneumothorax", "Pleural Effusion")
EXPOSURE = 1.5  # deviations of the window's usual variation


@dataclass(frozen=True)
class Tie:
    """What a tied study must have: an AP view and devices or neither; exposure in deviations."""

    portable: bool
    devices: bool
    exposure: float


def tie(rng: np.random.Generator, strength: float, state: State) -> Tie | None:
    """Draws whether a study in `state` is tied; None leaves it to chance."""
    if rng.random() >= abs(strength):
        return None
    sick = any(name in state for name in TIED_FINDINGS) != (strength < 0)
    return Tie(portable=sick, devices=sick, exposure=-EXPOSURE if sick else EXPOSURE)


def with_devices(rng: np.random.Generator, state: State, devices: bool) -> dict[str, Finding]:
    """Returns the state with devices added or taken away."""
    changed: Mapping[str, Finding] = state
    if devices and "Support Devices" not in state:
        changed = {**state, "Support Devices": onset(rng, "Support Devices")}
    return {
        name: changed[name]
        for name in RENDERED
        if name in changed and (devices or name != "Support Devices")
    }
