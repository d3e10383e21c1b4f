# SPDX-License-Identifier: Apache-2.0
"""The splits of a site and how the first studies of their patients are drawn.

A training site has one block of patients whose split is a hash of their id. A site for evaluation
has blocks generated apart: `test` of natural prevalence; `enriched` with many positives of every
finding, half of its studies with exactly one of `SINGLE_TARGETS`; `progression` and, with changes
that hardly anybody sees, `small_changes`, two studies per patient (see `progression`); `atypical`,
two findings where their names rarely lie, and reports that do not say where; and, in a confounded
cohort, `aligned`, `neutral` and `reversed`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from medst_jax.data_pipelines.simulated_cxr.findings.findings import (
    EXTRA,
    RARE_PLACES,
    RENDERED,
    SINGLE_TARGETS,
)
from medst_jax.data_pipelines.simulated_cxr.findings.progression import SMALL, VISIBLE, Pairs
from medst_jax.data_pipelines.simulated_cxr.findings.states import Finding, first_state, onset
from medst_jax.data_pipelines.simulated_cxr.sites import Site

NATURAL = "test"
ENRICHED = "enriched"
PROGRESSION = "progression"
SMALL_CHANGES = "small_changes"
ATYPICAL = "atypical"
PAIRED: Mapping[str, Pairs] = {PROGRESSION: VISIBLE, SMALL_CHANGES: SMALL}
CONFOUNDED: Mapping[str, int] = {"aligned": 1, "neutral": 0, "reversed": -1}
# Patients per patient of the cohort.
SIZES = {ENRICHED: 1.25, PROGRESSION: 0.65, SMALL_CHANGES: 0.65, ATYPICAL: 0.25}

# Seldom seen where present, hence drawn more often and more severe.
SELDOM_SEEN = {
    "Compression Fracture": 3.0,
    "Calcified Granuloma": 2.2,
    "Subcutaneous Emphysema": 1.6,
    "Tortuous Aorta": 1.9,
    "Hiatal Hernia": 1.3,
    "Scoliosis": 1.3,
    "Hilar Lymphadenopathy": 1.2,
    "Cavity": 1.2,
}
WEIGHTS = np.array([SELDOM_SEEN.get(name, 1.0) for name in EXTRA])
OTHERS = tuple(n for n in RENDERED if n not in SINGLE_TARGETS and n not in EXTRA)


@dataclass(frozen=True)
class Enrichment:
    """Shares of the enriched patients, and chances of findings in them.

    `single` have one of the single targets, `none` no label but devices, the rest are mixed: each
    single target with chance `target`, each other label with chance `other`. `further` is the
    chance of one finding outside the targets in a single-target patient, and `extras` the
    number of findings outside the labels of a mixed one.
    """

    single: float = 0.55
    none: float = 0.1
    target: float = 0.36
    other: float = 0.4
    further: float = 0.75
    extras: int = 4


SHARES = Enrichment()


def blocks(site: Site, patients: int, confounding: float) -> tuple[tuple[str, int], ...]:
    """Returns (split, patients) of a site; the split "" is a hash of each patient's id."""
    count = max(round(site.patients * patients), 1)
    if not site.evaluation_only:
        return (("", count),)
    apart = [(split, max(round(share * patients), 1)) for split, share in SIZES.items()]
    tied = [(split, count) for split in CONFOUNDED] if confounding else []
    return ((NATURAL, count), *apart, *tied)


def enriched_state(rng: np.random.Generator, prevalence: Mapping[str, float]) -> dict[str, Finding]:
    """Draws the findings of a patient of the enriched split."""
    state = first_state(rng, prevalence, 0.3)
    kind = rng.random()
    # What is common everywhere stays; the rest is drawn anew below.
    state = {n: f for n, f in state.items() if n == "Support Devices"}
    if kind < SHARES.none:
        return state
    chosen: list[str] = []
    if kind < SHARES.none + SHARES.single:
        chosen.append(SINGLE_TARGETS[int(rng.integers(len(SINGLE_TARGETS)))])
        if rng.random() < SHARES.further:
            weights = np.concatenate([np.ones(len(OTHERS)), WEIGHTS])
            index = rng.choice(len(weights), p=weights / weights.sum())
            chosen.append((OTHERS + EXTRA)[int(index)])
    else:
        chosen += [name for name in SINGLE_TARGETS if rng.random() < SHARES.target]
        chosen += [name for name in OTHERS if rng.random() < SHARES.other]
        shares = WEIGHTS / WEIGHTS.sum()
        drawn = rng.choice(len(EXTRA), SHARES.extras, replace=False, p=shares)
        chosen += [EXTRA[int(k)] for k in drawn]
    for name in chosen:
        state[name] = onset(rng, name, severe=0.25 if name in SINGLE_TARGETS else 0.5)
    if "Consolidation" in state:
        pneumonia = bool(rng.random() < 0.8)
        state["Consolidation"] = replace(state["Consolidation"], pneumonia=pneumonia)
    return {name: state[name] for name in RENDERED if name in state}


def atypical_state(rng: np.random.Generator, prevalence: Mapping[str, float]) -> dict[str, Finding]:
    """Draws the findings of a patient of the atypical split: two labels, on one side each."""
    kept = {*EXTRA, "Support Devices"}
    state = {n: f for n, f in first_state(rng, prevalence, 0.3).items() if n in kept}
    names = tuple(RARE_PLACES)
    for index in rng.choice(len(names), 2, replace=False):
        name = names[int(index)]
        finding = onset(rng, name, severe=0.45)
        places = RARE_PLACES[name]
        place = places[int(rng.integers(len(places)))]
        if finding.right and finding.left:
            finding = replace(finding, left=0.0)
        state[name] = replace(finding, place=place)
    return {name: state[name] for name in RENDERED if name in state}
