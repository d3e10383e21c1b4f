# SPDX-License-Identifier: Apache-2.0
"""Small cohorts that several tests look at."""

from functools import lru_cache

import numpy as np

from medst_jax.data_pipelines.raw import RawStudy
from medst_jax.data_pipelines.simulated_cxr.findings.findings import FINDINGS
from medst_jax.data_pipelines.simulated_cxr.source import SimulatedSite, sources

SITES = ("simulated_cxr_m", "simulated_cxr_c", "simulated_cxr_p")
EVALUATION = ("simulated_cxr_e1", "simulated_cxr_e2")


def site(name: str, patients: int, size: int, seed: int, confounding: float) -> SimulatedSite:
    made = sources(patients=patients, size=size, seed=seed, confounding=confounding)
    return next(source for source in made if source.name == name)


@lru_cache
def cohort(
    name: str, patients: int = 120, size: int = 48, seed: int = 3, confounding: float = 0.0
) -> tuple[RawStudy, ...]:
    source = site(name, patients, size, seed, confounding)
    return tuple(study for unit in source.units() for study in source.studies(unit))


def column(studies: tuple[RawStudy, ...], feature: str, name: str) -> np.ndarray:
    return np.array([study.truth[feature][FINDINGS.index(name)] for study in studies])


def visible(studies: tuple[RawStudy, ...], name: str) -> np.ndarray:
    return column(studies, "truth_visible_in", name) > 0
