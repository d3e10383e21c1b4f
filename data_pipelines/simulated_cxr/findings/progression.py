# SPDX-License-Identifier: Apache-2.0
"""Pairs of studies whose change cannot be told from one of the two severities alone.

Every patient of the split has two studies and two target findings, each better, unchanged or
worse with equal chances and independent of the other. The middle of the two severities is
uniform over a range W, whatever the class, and the change is +-CHANGE or 0. Then the current
severity is distributed over the same range in each class, but for a shift of CHANGE / 2. That
cannot be avoided: with equal distributions of both the current and the prior severity, the mean
change would be the same in each class. The best guess from one of them is right in
1/3 + CHANGE / (3 W) of the cases, 0.02 above chance; among pairs seen in both images, whose
severities lie closer together, 0.03 at most on average over the findings.

The findings are those of MS-CXR-T (Bannur et al., CVPR 2023): consolidation, edema, pleural
effusion, pneumonia (a kind of consolidation) and pneumothorax.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from medst_jax.data_pipelines.simulated_cxr.findings.findings import RENDERED
from medst_jax.data_pipelines.simulated_cxr.findings.states import (
    Finding,
    State,
    first_state,
    onset,
)

TARGETS = ("Consolidation", "Edema", "Pleural Effusion", "Pneumothorax")
CHANGE = 0.05
RANGE = (0.12, 0.968)  # of the middle of the two severities
CLASSES = (-1, 0, 1)  # better, unchanged, worse


def pair(
    rng: np.random.Generator, prevalence: Mapping[str, float]
) -> tuple[dict[str, Finding], dict[str, Finding]]:
    """Draws the states of the prior and of the current study of a patient."""
    others = first_state(rng, prevalence, 0.5)
    prior = {name: f for name, f in others.items() if name not in TARGETS}
    current = dict(prior)
    chosen = rng.choice(len(TARGETS), 2, replace=False)
    for index in chosen:
        name = TARGETS[int(index)]
        middle = float(rng.uniform(*RANGE))
        half = CHANGE / 2 * CLASSES[int(rng.integers(3))]
        place = onset(rng, name)
        # Small effusions that show behind the diaphragm only are left out: both must be seen.
        place = replace(place, place="" if name == "Pleural Effusion" else place.place)
        prior[name] = _with_severity(place, middle - half)
        current[name] = _with_severity(place, middle + half)
    return _ordered(prior), _ordered(current)


def _with_severity(finding: Finding, severity: float) -> Finding:
    """One severity on every side that has one, so that the finding has no other change."""
    right, left = bool(finding.right), bool(finding.left)
    return replace(finding, right=severity * right, left=severity * left)


def _ordered(state: State) -> dict[str, Finding]:
    return {name: state[name] for name in RENDERED if name in state}
