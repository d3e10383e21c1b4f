# SPDX-License-Identifier: Apache-2.0
"""Pairs of studies whose change is known, for the splits that ask how a finding went on.

Every patient of such a split has two studies and two target findings, each better, unchanged or
worse with equal chances and independent of the other. The middle of the two severities is
uniform over a range W, whatever the class, so that a change c moves either severity by c / 2
only. What one of them tells is bounded by that: its best guess is right in 1/3 + c / (3 W) of
the cases, 0.48 for visible changes. Less is not possible for changes of this size: with equal
distributions of both severities the mean change would be the same in each class. So what is judged
is what the pair tells beyond the current image alone and beyond the prior alone.

The findings are those of MS-CXR-T (Bannur et al., CVPR 2023): consolidation, edema, pleural
effusion, pneumonia (a kind of consolidation) and pneumothorax.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from medst_jax.data_pipelines.simulated_cxr.findings.findings import RENDERED
from medst_jax.data_pipelines.simulated_cxr.findings.states import (
    Finding,
    State,
    first_state,
    onset,
)

TARGETS = ("Consolidation", "Edema", "Pleural Effusion", "Pneumothorax")
SEVERITIES = (0.1, 1.0)  # of both studies
CLASSES = (-1, 0, 1)  # better, unchanged, worse
STEP = 0.15  # change of a severity that counts as one, where no pair was constructed (chosen)


@dataclass(frozen=True)
class Pairs:
    """How the pairs of a split are drawn.

    change: lowest and highest size of a change, of the range of severities. register: 0 to 1, how
    much of view, posture and exposure the two studies share; at 0 they are drawn apart, as
    everywhere else, at 1 both are alike. margin: an unchanged severity moves by less than this.
    """

    change: tuple[float, float]
    register: float = 0.0
    margin: float = 0.03

    @property
    def middle(self) -> tuple[float, float]:
        """Range of the middle of the two severities."""
        half = max(self.change[1], self.margin) / 2
        return SEVERITIES[0] + half, SEVERITIES[1] - half

    @property
    def step(self) -> float:
        """A change beyond this is one: half way between the margin and the smallest change."""
        return (self.margin + self.change[0]) / 2

    def draw(self, rng: np.random.Generator) -> tuple[float, float]:
        """Severities of the prior and of the current study."""
        code = CLASSES[int(rng.integers(3))]
        size, drift = rng.uniform(*self.change), self.margin * rng.uniform(-1, 1)
        half = (code * size if code else drift) / 2
        middle = rng.uniform(*self.middle)
        return float(middle - half), float(middle + half)


VISIBLE = Pairs(change=(0.2, 0.3))
# Neither severity alone tells more than 0.03 above chance, and hardly anybody sees the change.
SMALL = Pairs(change=(0.05, 0.05), margin=0.0)


def pair(
    rng: np.random.Generator, prevalence: Mapping[str, float], pairs: Pairs
) -> tuple[dict[str, Finding], dict[str, Finding]]:
    """Draws the states of the prior and of the current study of a patient."""
    others = first_state(rng, prevalence, 0.5)
    prior = {name: f for name, f in others.items() if name not in TARGETS}
    current = dict(prior)
    chosen = rng.choice(len(TARGETS), 2, replace=False)
    for index in chosen:
        name = TARGETS[int(index)]
        before, after = pairs.draw(rng)
        place = onset(rng, name)
        # Small effusions that show behind the diaphragm only are left out: both must be seen.
        place = replace(place, place="" if name == "Pleural Effusion" else place.place)
        prior[name] = _with_severity(place, before)
        current[name] = _with_severity(place, after)
    return _ordered(prior), _ordered(current)


def change_code(before: Finding, after: Finding, step: float) -> int:
    """1 worse, 0 unchanged, -1 better by more than `step`; of one finding in two studies."""
    change = after.severity - before.severity
    return 1 if change > step else -1 if change < -step else 0


def _with_severity(finding: Finding, severity: float) -> Finding:
    """One severity on every side that has one, so that the finding has no other change."""
    right, left = bool(finding.right), bool(finding.left)
    return replace(finding, right=severity * right, left=severity * left)


def _ordered(state: State) -> dict[str, Finding]:
    return {name: state[name] for name in RENDERED if name in state}
