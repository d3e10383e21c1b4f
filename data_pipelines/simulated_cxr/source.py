# SPDX-License-Identifier: Apache-2.0
"""The simulated cohort as data sets: one `Source` per site.

A test bench for methods, with known truth; it makes no clinical claim. See `anatomy` for the
model of the body, `states` for the course of findings, `reporter` for the text and `sites` for
what distinguishes the sites.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from medst_jax.data.records.annotations import ENTITIES, OF_STUDIES, Annotation
from medst_jax.data.records.studies import Studies
from medst_jax.data_pipelines.raw import RawStudy
from medst_jax.data_pipelines.simulated_cxr.cohort import annotations, blocks
from medst_jax.data_pipelines.simulated_cxr.cohort.patients import Case, patient_studies
from medst_jax.data_pipelines.simulated_cxr.cohort.truth import TECHNIQUE, TRUTH_FEATURES
from medst_jax.data_pipelines.simulated_cxr.findings.findings import EXTRA, FINDINGS
from medst_jax.data_pipelines.simulated_cxr.reporter.rates import rates
from medst_jax.data_pipelines.simulated_cxr.reporter.sentence_pairs import sentence_pairs
from medst_jax.data_pipelines.simulated_cxr.seeds import VERSION
from medst_jax.data_pipelines.simulated_cxr.sites import SITES
from medst_jax.data_pipelines.simulated_cxr.thorax.masks import GRID

UNIT = 400  # patients, about 1,400 studies


@dataclass(frozen=True)
class SimulatedSite:
    """One site of the cohort; implements `medst_jax.data_pipelines.raw.Source`.

    `blocks` are (split, patients): the split "" is derived from each patient's id.
    """

    site: str
    blocks: tuple[tuple[str, int], ...]
    size: int
    seed: int
    confounding: float = 0.0
    comparing: float = 1.0

    @property
    def name(self) -> str:
        return f"simulated_cxr_{self.site}"

    @property
    def labels(self) -> tuple[str, ...]:
        return SITES[self.site].labels

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
            "truth_technique_names": list(TECHNIQUE),
            "truth_mask_grid": GRID,
            "confounding": self.confounding,
            "comparing": self.comparing,
            "reporter_rates": rates(self.comparing) if site.reports else {},
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
        dials = [self.confounding, self.comparing]
        key = json.dumps([VERSION, self.site, self.size, self.seed, *dials, unit])
        return hashlib.sha256(key.encode()).hexdigest()

    def studies(self, unit: str) -> Iterator[RawStudy]:
        """Yields the studies of a unit in patient and time order."""
        split, first, last = unit.rsplit("-", 2)
        split = "" if split == "hashed" else split
        for number in range(int(first), int(last)):
            yield from patient_studies(
                Case(
                    SITES[self.site],
                    self.seed,
                    number,
                    self.size,
                    split,
                    self.confounding,
                    self.comparing,
                )
            )

    def annotation_configs(self) -> Sequence[str]:
        """Sites with reports have configs beside the studies, those that train also entities."""
        site = SITES[self.site]
        if not site.reports:
            return ()
        return OF_STUDIES if site.evaluation_only else (*OF_STUDIES, ENTITIES)

    def annotations(
        self, config: str, splits: Sequence[str], open_split: Callable[..., Studies]
    ) -> Mapping[str, Iterator[Annotation]]:
        """Splits of one config; sentence pairs, which come from no study, are of one split."""
        site = SITES[self.site]
        if config == "sentence_pairs":
            split = "test" if site.evaluation_only else "train"
            return {split: sentence_pairs(self.seed, site.name, site.style)}
        if config == "phrases":
            return {split: annotations.phrases(open_split(split, truth=True)) for split in splits}
        if config == "image_pairs":
            quality = "consensus" if site.evaluation_only else "mined"
            return {split: annotations.image_pairs(open_split(split), quality) for split in splits}
        return {split: annotations.texts(open_split(split)) for split in splits}


def sources(
    *,
    patients: int,
    size: int,
    seed: int,
    confounding: float = 0.0,
    comparing: float = 1.0,
    sites: Sequence[str] = tuple(SITES),
) -> tuple[SimulatedSite, ...]:
    """Returns the sites of a cohort.

    Args:
      patients: of site M; the other sites have a fixed share of it.
      size: of the square images, pixels.
      seed: of the cohort.
      confounding: 0 to 1, how strongly technique and devices go with disease at the training
        sites; above 0 the sites for evaluation get splits where they do, do not, and do the
        other way round.
      comparing: 0 to 1, scales how often reports tell that a finding changed, is new or has gone.
      sites: which of them, by letter; a site is the same whichever others are made.

    Raises:
      ValueError: patients below 1, a size outside 32..1024, confounding or comparing outside 0..1,
        or no such site.
    """
    if patients < 1:
        raise ValueError(f"patients is {patients}: give at least 1")
    if not 32 <= size <= 1024:
        raise ValueError(f"size is {size}: give 32 to 1024 pixels")
    if not 0 <= confounding <= 1:
        raise ValueError(f"confounding is {confounding}: give 0 to 1")
    if not 0 <= comparing <= 1:
        raise ValueError(f"comparing is {comparing}: give 0 to 1")
    unknown = set(sites) - set(SITES)
    if unknown or not sites:
        raise ValueError(f"no sites {sorted(unknown)}: give some of {', '.join(SITES)}")
    return tuple(
        SimulatedSite(
            key, blocks.blocks(site, patients, confounding), size, seed, confounding, comparing
        )
        for key, site in SITES.items()
        if key in sites
    )
