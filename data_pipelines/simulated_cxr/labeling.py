# SPDX-License-Identifier: Apache-2.0
"""Study labels: from the report or from the visible truth, with the site's noise."""

from collections.abc import Collection, Mapping

import numpy as np

from data_pipelines.simulated_cxr.findings import (
    BLANK,
    LABELS,
    NEGATIVE,
    OPACITIES,
    POSITIVE,
    UNCERTAIN,
)
from data_pipelines.simulated_cxr.sites import LabelNoise
from data_pipelines.simulated_cxr.states import Finding


def implied(findings: Mapping[str, Finding]) -> frozenset[str]:
    """Returns all findings that hold given the rendered ones: parents, pneumonia, No Finding."""
    names = set(findings)
    if "Consolidation" in findings and findings["Consolidation"].pneumonia:
        names.add("Pneumonia")
    if names & set(OPACITIES):
        names.add("Lung Opacity")
    if not (names & set(LABELS)) - {"Support Devices"}:
        names.add("No Finding")
    return frozenset(names)


def visible_labels(present: Collection[str]) -> dict[str, int]:
    """Returns 1 or 0 for each label."""
    return {name: int(name in present) for name in LABELS}


def with_noise(
    rng: np.random.Generator, labels: Mapping[str, int], noise: LabelNoise
) -> dict[str, int]:
    """Flips, hedges and blanks labels at the site's rates; "No Finding" follows the others."""
    noisy = {}
    for name in LABELS:
        code = labels.get(name, BLANK)
        draw, other = rng.random(2)
        if name == "No Finding":
            continue
        if code in (POSITIVE, UNCERTAIN):
            if draw < noise.missed:
                code = NEGATIVE if noise.blank == 0 and code == POSITIVE else BLANK
            elif other < noise.uncertain:
                code = UNCERTAIN
        elif draw < noise.false:
            code = POSITIVE
        elif other < noise.blank:
            code = BLANK
        noisy[name] = code
    found = any(
        code in (POSITIVE, UNCERTAIN) for name, code in noisy.items() if name != "Support Devices"
    )
    return {"No Finding": NEGATIVE if found else POSITIVE, **noisy}
