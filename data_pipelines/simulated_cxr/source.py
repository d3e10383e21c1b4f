# SPDX-License-Identifier: Apache-2.0
"""The simulated cohort as data sets: one `Source` per site.

A test bench for methods, with known truth; it makes no clinical claim. See `anatomy` for the
model of the body, `states` for the course of findings, `reporter` for the text and `sites` for
what distinguishes the sites.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from data_pipelines.raw import RawStudy
from data_pipelines.simulated_cxr.findings import EXTRA, FINDINGS, LABELS
from data_pipelines.simulated_cxr.patients import TRUTH_FEATURES, patient_studies
from data_pipelines.simulated_cxr.seeds import VERSION
from data_pipelines.simulated_cxr.sites import ENRICHED, SITES

UNIT = 400  # patients, about 1,000 studies


@dataclass(frozen=True)
class SimulatedSite:
    """One site of the cohort; implements `data_pipelines.raw.Source`.

    `blocks` are (split, patients): the split "" is derived from each patient's id.
    """

    site: str
    blocks: tuple[tuple[str, int], ...]
    size: int
    seed: int

    @property
    def name(self) -> str:
        return f"simulated_cxr_{self.site}"

    @property
    def labels(self) -> tuple[str, ...]:
        return LABELS

    @property
    def truth_features(self) -> Mapping[str, tuple[np.dtype, tuple[int | None, ...]]]:
        return TRUTH_FEATURES

    @property
    def card(self) -> Mapping[str, Any]:
        site = SITES[self.site]
        return {
            "description": f"Simulated chest radiographs, site {self.site.upper()}: "
            f"{site.description}. A test bench; no clinical claim.",
            "licence": "Apache-2.0",
            "redistributable": True,
            "intensity": "none",
            "evaluation_only": site.evaluation_only,
            "generator_version": VERSION,
            "cohort_seed": self.seed,
            "truth_finding_names": list(FINDINGS),
            "outside_the_labels": list(EXTRA),
            "label_noise": asdict(site.noise),
            "prevalence_of_first_studies": dict(site.prevalence),
        }

    def units(self) -> Sequence[str]:
        """Returns names `split-first-last` of blocks of patients, last exclusive."""
        return [
            f"{split or 'hashed'}-{first:07d}-{min(first + UNIT, count):07d}"
            for split, count in self.blocks
            for first in range(0, count, UNIT)
        ]

    def unit_hash(self, unit: str) -> str:
        """Returns a hash of everything the unit's studies depend on."""
        key = json.dumps([VERSION, self.site, self.size, self.seed, unit])
        return hashlib.sha256(key.encode()).hexdigest()

    def studies(self, unit: str) -> Iterator[RawStudy]:
        """Yields the studies of a unit in patient and time order."""
        split, first, last = unit.rsplit("-", 2)
        split = "" if split == "hashed" else split
        for number in range(int(first), int(last)):
            yield from patient_studies(SITES[self.site], self.seed, number, self.size, split)


def sources(*, patients: int, size: int, seed: int) -> tuple[SimulatedSite, ...]:
    """Returns the sites of a cohort.

    Args:
      patients: of site M; the other sites have a fixed share of it.
      size: of the square images, pixels.
      seed: of the cohort.

    Raises:
      ValueError: patients below 1, or a size outside 32..1024.
    """
    if patients < 1:
        raise ValueError(f"patients is {patients}: give at least 1")
    if not 32 <= size <= 1024:
        raise ValueError(f"size is {size}: give 32 to 1024 pixels")
    made = []
    for key, site in SITES.items():
        count = max(round(site.patients * patients), 1)
        blocks: tuple[tuple[str, int], ...] = (("", count),)
        if site.evaluation_only:
            blocks = (("test", count), ("enriched", max(round(ENRICHED.patients * patients), 1)))
        made.append(SimulatedSite(site=key, blocks=blocks, size=size, seed=seed))
    return tuple(made)
