# SPDX-License-Identifier: Apache-2.0
"""Writes the report of a study from what can be seen in its images, with labels per sentence.

The reporter sees visibilities, not the truth: the lower the visibility, the likelier a finding
is hedged or missed. Rates are the constants below. Sentence labels say what the sentence says
(1 affirmed, -1 hedged, 0 denied), so they are right even where the reporter is wrong.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from data_pipelines.raw import RawSentence
from data_pipelines.simulated_cxr import phrases
from data_pipelines.simulated_cxr.findings import OPACITIES
from data_pipelines.simulated_cxr.states import Finding, State

MISSED = 0.05  # of clearly visible findings; more as visibility falls
INVENTED = 0.006  # of absent or invisible findings, each
CITING = 0.4  # of follow-up reports
WRONG_CHANGE = 0.03  # of comparison sentences
STEP = 0.07  # change of severity that counts as one
MENTIONED = {  # chance that the absence of a finding is stated
    "Enlarged Cardiomediastinum": 0.3,
    "Cardiomegaly": 0.6,
    "Lung Lesion": 0.12,
    "Edema": 0.4,
    "Consolidation": 0.6,
    "Pneumonia": 0.25,
    "Atelectasis": 0.06,
    "Pneumothorax": 0.75,
    "Pleural Effusion": 0.75,
    "Pleural Other": 0.03,
    "Fracture": 0.25,
}
ORDER = (
    "Support Devices",
    "Consolidation",
    "Edema",
    "Atelectasis",
    "Lung Lesion",
    "Pleural Effusion",
    "Pneumothorax",
    "Pleural Other",
    "Cardiomegaly",
    "Enlarged Cardiomediastinum",
    "Fracture",
)
Labels = dict[str, int]


@dataclass
class _Draft:
    """Sentences of one section while it is written."""

    name: str
    parts: list[tuple[str, Labels]] = field(default_factory=list)

    def say(self, text: str, labels: Mapping[str, int] | None = None) -> None:
        text = re.sub(r"\s+([,.])", r"\1", re.sub(r"\s+", " ", text)).strip()
        text = re.sub(r"\b([Aa]) (?=[aeiouAEIOU])", r"\1n ", text)
        text = text[0].upper() + text[1:]
        self.parts.append((text if text.endswith(".") else text + ".", dict(labels or {})))


@dataclass(frozen=True)
class Report:
    """`mentions` holds one code per finding said anywhere; `progression` what was compared."""

    sections: tuple[tuple[str, str], ...]
    sentences: tuple[RawSentence, ...]
    mentions: Labels
    progression: Labels


class Reporter:
    """Draws one report; `style` "m" prefers the first variants of a phrase, others the last."""

    def __init__(
        self, rng: np.random.Generator, style: str, *, site: str, cohort_seed: int
    ) -> None:
        self.rng = rng
        self.site, self.cohort_seed = site, cohort_seed
        self.backward = style != "m"

    def pick(self, variants: Sequence[str]) -> str:
        """Draws a variant: geometric weights give sites a phrasing of their own."""
        # Inverse of the distribution of a geometric variable cut at the number of variants.
        tail = 1 - 0.75 ** len(variants)
        index = int(math.log(1 - tail * self.rng.random()) / math.log(0.75))
        return variants[len(variants) - 1 - index if self.backward else index]

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def fill(self, template: str, finding: Finding, degree: bool = True) -> str:
        side = 3 if finding.right and finding.left else 1 if finding.right else 2
        level = min(int(finding.severity * 3), 2)
        words = phrases.SIZES if finding.name in phrases.BY_SIZE else phrases.GRADES
        graded = degree and self.chance(0.8)
        slots = {
            "side": self.pick(phrases.SIDES[side]),
            "place": self.pick(phrases.ZONES[finding.place]),
            "sided": self.pick(phrases.SIDED[side]),
            "degree": self.pick(words[level]) if graded else "",
            "adverb": self.pick(phrases.ADVERBS[level]) if graded else "",
        }
        return template.format(**slots)

    def write(
        self,
        state: State,
        visibility: Mapping[str, float],
        prior: State | None,
        seen_before: frozenset[str],
        views: Sequence[str],
        previous: Report | None = None,
    ) -> Report:
        """Writes a report.

        Args:
          state: the findings present, those outside the labels included.
          visibility: of each finding of `state`, the highest over the study's images.
          prior: the state at the previous study, None at the first.
          seen_before: findings that were visible at the previous study.
          views: of the study's images.
          previous: the report of the patient's previous study, if any.
        """
        citing = prior is not None and self.chance(CITING)
        body, impression = _Draft("FINDINGS"), _Draft("IMPRESSION")
        progression: Labels = {}
        said: dict[str, tuple[Finding, int]] = {}
        for name in ORDER:
            finding = state.get(name)
            code = self._decide(visibility.get(name, 0.0))
            if finding is None or code == 0:
                continue
            said[name] = (finding, code)
            old = prior.get(name) if citing and prior is not None else None
            if old is not None and name in seen_before and code == 1 and self.chance(0.8):
                self._compare(body, finding, old, progression)
            else:
                self._state(body, finding, code, new=citing and name not in seen_before)
        if citing and prior is not None:
            for name in ORDER:
                gone = name in seen_before and name not in state and name != "Support Devices"
                if gone and self.chance(0.6):
                    noun = self.fill(self.pick(phrases.NOUNS[name]), prior[name], degree=False)
                    text = f"{self.pick(phrases.PRIORS)}the {noun} {self.pick(phrases.RESOLVED)}"
                    body.say(text, {name: 0})
                    progression[name] = -1
        said = self._deny(body, said)
        extra = self.rng.choice(len(phrases.BOILERPLATE), int(self.rng.integers(0, 3)), False)
        for index in extra:
            body.say(phrases.BOILERPLATE[int(index)])
        self._impress(impression, said)
        return _assemble([*self._heading(views, citing), body, impression], progression)

    def _decide(self, visibility: float) -> int:
        """Returns 1 affirmed, -1 hedged, 0 nothing said."""
        if visibility < 0.5:
            return 0
        hidden = 1 - visibility
        if self.chance(MISSED + 0.35 * hidden):
            return 0
        return -1 if self.chance(0.04 + 0.7 * hidden) else 1

    def _labels(self, finding: Finding, code: int) -> Labels:
        labels = {finding.name: code}
        if finding.name in OPACITIES:
            labels["Lung Opacity"] = code
        if finding.pneumonia:
            labels["Pneumonia"] = code
        return labels

    def _topic(self, finding: Finding) -> str:
        return "Pneumonia" if finding.pneumonia else finding.name

    def _state(self, body: _Draft, finding: Finding, code: int, new: bool) -> None:
        if finding.name == "Support Devices":
            for kind in finding.kind:
                body.say(self.pick(phrases.DEVICE[kind]), {"Support Devices": 1})
            return
        table = phrases.POSITIVE if code == 1 else phrases.UNCERTAIN
        text = self.fill(self.pick(table[self._topic(finding)]), finding)
        if new and self.chance(0.4):
            text = f"{text}, new since the prior study"
        body.say(text, self._labels(finding, code))

    def _compare(self, body: _Draft, finding: Finding, old: Finding, progression: Labels) -> None:
        change = finding.severity - old.severity
        step = 1 if change > STEP else -1 if change < -STEP else 0
        if finding.name == "Support Devices":
            step = 0
        elif self.chance(WRONG_CHANGE):
            step = int(self.rng.integers(-1, 2))
        noun = self.fill(self.pick(phrases.NOUNS[self._topic(finding)]), finding, degree=False)
        changed = self.pick(phrases.CHANGES[step])
        if finding.name == "Support Devices":
            changed = "are unchanged"
        body.say(f"{self.pick(phrases.PRIORS)}the {noun} {changed}", self._labels(finding, 1))
        progression[finding.name] = step

    def _deny(
        self, body: _Draft, said: Mapping[str, tuple[Finding, int]]
    ) -> dict[str, tuple[Finding, int]]:
        """Says what is absent, rarely what is not there; returns all that has been affirmed."""
        present = set(said)
        if any(finding.pneumonia for finding, _ in said.values()):
            present.add("Pneumonia")
        absent = [n for n, p in MENTIONED.items() if n not in present and self.chance(p)]
        affirmed = dict(said)
        for name in MENTIONED:
            if name not in present and name != "Pneumonia" and self.chance(INVENTED):
                key = int(self.rng.integers(2**31))
                place = "lower" if name in (*OPACITIES, "Fracture") else ""
                right = self.chance(0.5)
                invented = Finding(name, 0.2 * right, 0.2 * (not right), place, (), key)
                body.say(
                    self.fill(self.pick(phrases.POSITIVE[name]), invented),
                    self._labels(invented, 1),
                )
                absent = [other for other in absent if other != name]
                affirmed[name] = (invented, 1)
        if not any(name in affirmed for name in OPACITIES) and self.chance(0.5):
            clear = {"Lung Opacity": 0, "Consolidation": 0}
            if not any(label.get(n) for _, label in body.parts for n in clear):
                body.say(self.pick(phrases.CLEAR), clear)
        absent = [absent[int(i)] for i in self.rng.permutation(len(absent))]
        listed = [n for n in absent if n in phrases.LISTED]
        if len(listed) >= 2 and self.chance(0.65):
            words = [phrases.LISTED[n] for n in listed]
            start = self.pick(("there is no ", "no ", "no evidence of ", "negative for "))
            joined = ", ".join(words[:-1]) + (", or " if len(words) > 2 else " or ") + words[-1]
            body.say(start + joined, dict.fromkeys(listed, 0))
            absent = [n for n in absent if n not in listed]
        for name in absent:
            body.say(self.pick(phrases.NEGATIVE[name]), {name: 0})
        return affirmed

    def _impress(self, draft: _Draft, said: Mapping[str, tuple[Finding, int]]) -> None:
        topics = [(f, c) for name, (f, c) in said.items() if name != "Support Devices"]
        if not topics:
            draft.say(self.pick(phrases.NORMAL), {"No Finding": 1})
            return
        topics.sort(key=lambda pair: -pair[0].severity)
        for finding, code in topics[:3]:
            table = phrases.POSITIVE if code == 1 else phrases.UNCERTAIN
            text = self.fill(self.pick(table[self._topic(finding)]), finding)
            draft.say(text, self._labels(finding, code))

    def _heading(self, views: Sequence[str], citing: bool) -> list[_Draft]:
        indication, technique = _Draft("INDICATION"), _Draft("TECHNIQUE")
        comparison = _Draft("COMPARISON")
        indication.say(self.pick(phrases.SUBJECTS) + self.pick(phrases.REASONS))
        key = "both" if len(views) > 1 else views[0]
        technique.say(self.pick(phrases.TECHNIQUES[key]))
        none = self.pick(("None", "No prior", "None available"))
        comparison.say("Chest radiograph from ___" if citing else none)
        return [indication, technique, comparison]


def _assemble(drafts: Sequence[_Draft], progression: Labels) -> Report:
    sections, sentences = [], []
    mentions: Labels = {}
    strength = {1: 3, -1: 2, 0: 1}
    for index, draft in enumerate(drafts):
        position = 0
        for text, labels in draft.parts:
            sentences.append(RawSentence(index, position, position + len(text), labels))
            position += len(text) + 1
            for name, code in labels.items():
                if name not in mentions or strength[code] > strength[mentions[name]]:
                    mentions[name] = code
        sections.append((draft.name, " ".join(text for text, _ in draft.parts)))
    return Report(tuple(sections), tuple(sentences), mentions, progression)
