# SPDX-License-Identifier: Apache-2.0
"""The state of a patient's findings and how it evolves from study to study.

A finding has a severity in (0, 1] per side, a place, a kind and a key that fixes its shape, so
that the same consolidation is recognisable in the next study. Severities follow a random walk
with a drift, down where a finding is treated and up where it worsens; findings resolve, begin, and
begin anew at another place. Chronic findings persist and change slowly. The rates are chosen, so
that successive studies of a patient differ in what a reader can see.
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
BILATERAL = {"Pleural Effusion": 0.25, "Consolidation": 0.12, "Atelectasis": 0.2, "Edema": 1.0}
BILATERAL |= {"Pleural Other": 0.15, "Emphysema": 1.0}
BILATERAL |= {"Pneumoperitoneum": 0.4, "Subcutaneous Emphysema": 0.25}
BILATERAL |= {"Hilar Lymphadenopathy": 0.6, "Fibrosis": 1.0}
WALK = 0.3  # deviation of a severity's step
DRIFT = 0.12  # of a severity's step, down or up
TREATED, WORSENING = 0.4, 0.3  # share of findings that drift down, and up
TURNED = 0.25  # chance, at each study, that a finding drifts another way
SLOW = 0.3  # of the step of an acute finding, a chronic one's
RESOLVED = (0.2, 0.15)  # chance that an acute finding is gone, and more of it with time
RESOLVED_CHRONIC = 0.01
MOVED = 0.15  # chance that an acute finding is gone and another of its name has begun
BEGUN, BEGUN_CHRONIC = 0.55, 0.06  # of its prevalence, chance that a finding begins
LOWEST = 0.08  # severity below which a finding is gone
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
    drift: float = 0.0  # of its severity from study to study

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
    if name == "Edema":  # every grade is as frequent as its share of the range
        first = severe + (1 - severe) * rng.uniform(0.1, 1.0)
    bilateral = name in MIDLINE or rng.random() < BILATERAL.get(name, 0.0)
    on_right = rng.random() < 0.5
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
        drift=_drift(rng),
    )


def _drift(rng: np.random.Generator) -> float:
    draw = rng.random()
    return -DRIFT if draw < TREATED else DRIFT if draw < TREATED + WORSENING else 0.0


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
    """Draws the state `days` later: severities walk and drift, findings resolve, move and begin."""
    pace = min(1.0, 0.5 + days / 20)
    after = {}
    for name in RENDERED:
        candidate = onset(rng, name)
        draw, turn = rng.random(2)
        walk = WALK * rng.normal()
        chronic = name in CHRONIC
        if name not in state:
            if draw < prevalence[name] * (BEGUN_CHRONIC if chronic else BEGUN):
                after[name] = candidate
            continue
        old = state[name]
        gone = RESOLVED_CHRONIC if chronic else RESOLVED[0] + RESOLVED[1] * pace
        if draw < gone:
            continue
        if not chronic and draw < gone + MOVED:
            after[name] = candidate
            continue
        drift = candidate.drift if turn < TURNED else old.drift
        step = pace * (walk + old.drift) * (SLOW if chronic else 1.0)
        right, left = (_moved(value, step) for value in (old.right, old.left))
        if right or left:
            after[name] = replace(old, right=right, left=left, drift=drift)
    return after


def _moved(severity: float, step: float) -> float:
    """A severity after a step; it turns back at 1, and is 0 once it has become too small."""
    if not severity:
        return 0.0
    moved = severity + step
    moved = 2.0 - moved if moved > 1 else moved
    return moved if moved > LOWEST else 0.0
