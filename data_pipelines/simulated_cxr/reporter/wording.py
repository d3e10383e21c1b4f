# SPDX-License-Identifier: Apache-2.0
"""Draws the wording of one finding from the tables of phrases, in a site's style."""

from collections.abc import Sequence

import numpy as np

from medst_jax.data_pipelines.simulated_cxr.findings.states import Finding
from medst_jax.data_pipelines.simulated_cxr.reporter import phrases, phrases_change
from medst_jax.data_pipelines.simulated_cxr.reporter.rates import GRADED, PLACED
from medst_jax.data_pipelines.simulated_cxr.reporter.styles import draw


class Wording:
    """Draws phrases for one report; a share `placed` of those that could name a place does."""

    def __init__(self, rng: np.random.Generator, style: str, placed: float = PLACED) -> None:
        self.rng, self.style, self.placed = rng, style, placed

    def pick(self, variants: Sequence[str]) -> str:
        """Draws a variant by the site's preference."""
        return draw(self.rng.random(), self.style, variants)

    def state(self, finding: Finding, code: int) -> str:
        """Words for a finding that is affirmed (1) or hedged (-1)."""
        topic = _topic(finding)
        if code == -1:
            return self.fill(self.pick(phrases.UNCERTAIN[topic]), finding)
        variants = phrases.POSITIVE[topic]
        if topic in phrases.UNPLACED and self.rng.random() >= self.placed:
            variants = phrases.UNPLACED[topic]
        if topic == "Edema" and self.rng.random() < 0.7:
            variants = phrases.EDEMA[_level(finding)]
        return self.fill(self.pick(variants), finding)

    def noun(self, finding: Finding, degree: bool = False) -> str:
        """The name of a finding in a comparison, with side and place; after its `degree`."""
        noun = self.fill(self.pick(phrases_change.NOUNS[_topic(finding)]), finding, degree=False)
        return f"{self.degree(finding)} {noun}" if degree else noun

    def degree(self, finding: Finding) -> str:
        """A word for how large or severe a finding is."""
        words = phrases.SIZES if finding.name in phrases.BY_SIZE else phrases.GRADES
        return self.pick(words[_level(finding)])

    def fill(self, template: str, finding: Finding, degree: bool = True) -> str:
        """Fills the slots of a template with side, place and degree."""
        side = 3 if finding.right and finding.left else 1 if finding.right else 2
        level = _level(finding)
        graded = degree and self.rng.random() < GRADED
        slots = {
            "side": self.pick(phrases.SIDES[side]),
            "place": self.pick(phrases.ZONES[finding.place]),
            "zonal": self.pick(phrases.ZONAL.get(finding.place, ("",))),
            "sided": self.pick(phrases.SIDED[side]),
            "degree": self.degree(finding) if graded else "",
            "adverb": self.pick(phrases.ADVERBS[level]) if graded else "",
        }
        return template.format(**slots)


def _topic(finding: Finding) -> str:
    return "Pneumonia" if finding.pneumonia else finding.name


def _level(finding: Finding) -> int:
    return min(int(finding.severity * 3), 2)
