# SPDX-License-Identifier: Apache-2.0
"""How often reports mention the findings outside the 14 labels: never, to one report in twenty.

The cohort's seed deals the findings into tiers. The chance to mention one that is visible is
the tier's share of reports over the share of studies in which it is visible, `VISIBLE`, which
`experiments/cohort_text.py` measures; a finding too rare for the highest tier is not dealt it.
"""

from collections.abc import Mapping
from functools import lru_cache

from medst_jax.data_pipelines.simulated_cxr.findings.findings import EXTRA
from medst_jax.data_pipelines.simulated_cxr.seeds import stream
from medst_jax.data_pipelines.simulated_cxr.sites import PREVALENCE, SITES

# Share of reports -> how many findings.
TIERS: tuple[tuple[float, int], ...] = ((0.05, 3), (0.01, 3), (0.001, 2), (0.0001, 2), (0.0, 2))
CEILING = 0.95  # of the chance to mention what is visible

# Share of site M's studies in which each is visible.
VISIBLE: Mapping[str, float] = {
    "Hiatal Hernia": 0.077,
    "Emphysema": 0.075,
    "Calcified Granuloma": 0.082,
    "Scoliosis": 0.081,
    "Tortuous Aorta": 0.040,
    "Pneumoperitoneum": 0.082,
    "Subcutaneous Emphysema": 0.040,
    "Elevated Hemidiaphragm": 0.073,
    "Hilar Lymphadenopathy": 0.066,
    "Fibrosis": 0.069,
    "Cavity": 0.066,
    "Compression Fracture": 0.12,
}


@lru_cache
def tiers(cohort_seed: int) -> Mapping[str, float]:
    """Finding -> the share of reports that mention it, in a cohort."""
    rng = stream(cohort_seed, "mention tiers", 0)
    waiting = [EXTRA[int(i)] for i in rng.permutation(len(EXTRA))]
    dealt = {}
    for share, count in TIERS:
        able = [name for name in waiting if VISIBLE[name] * CEILING >= share]
        for name in able[:count]:
            dealt[name] = share
            waiting.remove(name)
    return {name: dealt.get(name, 0.0) for name in EXTRA}


@lru_cache
def mention_chances(cohort_seed: int, site: str) -> Mapping[str, float]:
    """Finding -> the chance that a report of a site mentions it where it is visible."""
    chances = {}
    for name, share in tiers(cohort_seed).items():
        visible = VISIBLE[name] * SITES[site].prevalence[name] / PREVALENCE[name]
        chances[name] = min(share / visible, 1.0)
    return chances
