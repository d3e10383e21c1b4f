# SPDX-License-Identifier: Apache-2.0
"""The state of a patient's findings and how it evolves from study to study.

A finding has a severity in (0, 1] per side, a place, a kind and a key that fixes its shape, so
that the same consolidation is recognisable in the next study. Severities follow a random walk
with resolution and onset; chronic findings persist.
"""

import bisect
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from medst_jax.data_pipelines.simulated_cxr.findings.findings import MIDLINE, PLACES, RENDERED

CHRONIC = frozenset(
    {"Cardiomegaly", "Pleural Other", "Hiatal Hernia", "Emphysema", "Calcified Granuloma"}
    | {"Scoliosis", "Tortuous Aorta", "Lung Lesion", "Enlarged Cardiomediastinum"}
    | {"Elevated Hemidiaphragm", "Hilar Lymphadenopathy", "Fibrosis", "Compression Fracture"}
)
BILATERAL = {"Pleural Effusion": 0.35, "Consolidation": 0.2, "Atelectasis": 0.3, "Edema": 1.0}
BILATERAL |= {"Pleural Other": 0.15, "Emphysema": 1.0}
BILATERAL |= {"Pneumoperitoneum": 0.4, "Subcutaneous Emphysema": 0.25}
BILATERAL |= {"Hilar Lymphadenopathy": 0.6, "Fibrosis": 1.0}
RIGHT = {"Pneumothorax": 0.72}  # share on the right where it is not the usual 0.55
STEPS = {
    name: ([place for place, _ in places], list(itertools.accumulate(s for _, s in places)))
    for name, places in PLACES.items()
}
EVERYWHERE = ([""], [1.0])
DEVICES = (("ett", 0.22), ("enteric", 0.2), ("line", 0.45), ("pacemaker", 0.14), ("wires", 0.14))


@dataclass(frozen=True)
class Finding:
    """One finding of one study. `right`, `left`: severity in [0, 1], 0 absent on that side."""

    name: str
    right: float
    left: float
    place: str
    kind: tuple[str, ...]
    key: int
    pneumonia: bool = False

    @property
    def severity(self) -> float:
        return max(self.right, self.left)


State = Mapping[str, Finding]


def edema_grade(state: State) -> int:
    """Returns the severity of pulmonary edema: 0 none, 1 vascular, 2 interstitial, 3 alveolar."""
    return 1 + min(int(state["Edema"].severity * 3), 2) if "Edema" in state else 0


def onset(rng: np.random.Generator, name: str, severe: float = 0.0) -> Finding:
    """Draws a new finding; `severe` raises the lower end of its severity."""
    first, second = severe + (1 - severe) * (0.12 + 0.88 * rng.beta(1.8, 1.9, size=2))
    bilateral = name in MIDLINE or rng.random() < BILATERAL.get(name, 0.0)
    on_right = rng.random() < RIGHT.get(name, 0.55)
    if bilateral:
        right, left = first, first if name in MIDLINE or name == "Edema" else second
    else:
        right, left = (first, 0.0) if on_right else (0.0, first)
    places, steps = STEPS.get(name, EVERYWHERE)
    place = places[min(bisect.bisect(steps, rng.random()), len(places) - 1)]
    kind: tuple[str, ...] = ()
    if name == "Support Devices":
        kind = tuple(device for device, chance in DEVICES if rng.random() < chance) or ("line",)
    return Finding(
        name=name,
        right=float(right),
        left=float(left),
        place=place,
        kind=kind,
        key=int(rng.integers(2**31)),
        pneumonia=name == "Consolidation" and rng.random() < 0.65,
    )


def first_state(
    rng: np.random.Generator, prevalence: Mapping[str, float], healthy: float
) -> dict[str, Finding]:
    """Draws the findings of a first study; a share `healthy` of patients has next to none."""
    factor = 0.06 if rng.random() < healthy else 1.0 / (1.0 - 0.94 * healthy)
    state = {}
    for name in RENDERED:
        candidate = onset(rng, name)
        if rng.random() < prevalence[name] * factor:
            state[name] = candidate
    return state


def next_state(
    rng: np.random.Generator, state: State, prevalence: Mapping[str, float], days: float
) -> dict[str, Finding]:
    """Draws the state `days` later: random walk of severities, resolution and onset."""
    step = 0.24 * min(1.0, 0.45 + days / 60)
    after = {}
    for name in RENDERED:
        candidate = onset(rng, name)
        draw = rng.random()
        walk = rng.normal(-0.01, step, size=2)
        if name not in state:
            scale = 0.08 if name in CHRONIC else 0.3
            if draw < prevalence[name] * scale:
                after[name] = candidate
            continue
        old = state[name]
        resolution = 0.01 if name in CHRONIC else 0.15 + 0.1 * min(days / 60, 1.0)
        if draw < resolution:
            continue
        if name in CHRONIC:
            walk = walk * 0.3
        if name in MIDLINE or name in ("Edema", "Emphysema"):
            walk[1] = walk[0]
        right = min(old.right + walk[0], 1.0) if old.right else 0.0
        left = min(old.left + walk[1], 1.0) if old.left else 0.0
        right, left = (value if value > 0.08 else 0.0 for value in (right, left))
        if right or left:
            after[name] = replace(old, right=float(right), left=float(left))
    return after
