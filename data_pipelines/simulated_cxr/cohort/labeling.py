# SPDX-License-Identifier: Apache-2.0
"""Study labels: from the report or from the visible truth, with the site's noise."""

from collections.abc import Mapping

import numpy as np

from medst_jax.data_pipelines.simulated_cxr.findings.findings import (
    BLANK,
    LABELS,
    NEGATIVE,
    OPACITIES,
    POSITIVE,
    UNCERTAIN,
)
from medst_jax.data_pipelines.simulated_cxr.findings.states import Finding
from medst_jax.data_pipelines.simulated_cxr.reporter.reporter import Report
from medst_jax.data_pipelines.simulated_cxr.sites import LabelNoise, Site


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


def study_labels(
    rng: np.random.Generator, site: Site, report: Report | None, visible: frozenset[str]
) -> dict[str, int]:
    """Returns the label codes of a study: mined from its report, or the visible truth.

    Where there is no report the truth has the noise of the site; sites for evaluation have none.
    """
    truth = {name: int(name in visible) for name in site.labels}
    if site.evaluation_only:
        return truth
    if report is not None:
        return {name: report.mentions.get(name, BLANK) for name in site.labels}
    return with_noise(rng, truth, site.noise)


def with_noise(
    rng: np.random.Generator, truth: Mapping[str, int], noise: LabelNoise
) -> dict[str, int]:
    """Flips, hedges and blanks labels at the site's rates; "No Finding" follows the others."""
    noisy = {}
    for name, code in truth.items():
        draw, other = rng.random(2)
        if name == "No Finding":
            continue
        if code == POSITIVE:
            if draw < noise.missed:
                code = BLANK if noise.blank else NEGATIVE
            elif other < noise.uncertain:
                code = UNCERTAIN
        elif draw < noise.false:
            code = POSITIVE
        elif other < noise.blank:
            code = BLANK
        noisy[name] = code
    any_finding = any(
        code in (POSITIVE, UNCERTAIN) and name in LABELS
        for name, code in noisy.items()
        if name != "Support Devices"
    )
    return {"No Finding": NEGATIVE if any_finding else POSITIVE, **noisy}
