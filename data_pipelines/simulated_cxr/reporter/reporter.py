# SPDX-License-Identifier: Apache-2.0
"""Writes the report of a study from what can be seen in its images, with labels per sentence.

The reporter sees visibilities, not the truth: the lower the visibility, the likelier a finding
is hedged or missed. Rates are the constants below. Sentence labels say what the sentence says
(1 affirmed, -1 hedged, 0 denied), so they are right even where the reporter is wrong.
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from medst_jax.data_pipelines.simulated_cxr.findings.findings import OPACITIES
from medst_jax.data_pipelines.simulated_cxr.findings.progression import STEP, change_code
from medst_jax.data_pipelines.simulated_cxr.findings.states import Finding, State
from medst_jax.data_pipelines.simulated_cxr.findings.visibility import SEEN
from medst_jax.data_pipelines.simulated_cxr.reporter import (
    phrases,
    phrases_absent,
    phrases_change,
    phrases_frame,
)
from medst_jax.data_pipelines.simulated_cxr.reporter.mention_tiers import mention_chances
from medst_jax.data_pipelines.simulated_cxr.reporter.phrases_extra import EXTRA_POSITIVE
from medst_jax.data_pipelines.simulated_cxr.reporter.report import (
    Draft,
    Labels,
    Report,
    assemble,
)
from medst_jax.data_pipelines.simulated_cxr.reporter.styles import STYLES
from medst_jax.data_pipelines.simulated_cxr.reporter.wording import Wording

__all__ = ["Report", "Reporter"]

MISSED = 0.05  # of clearly visible findings; `MISSED_HIDDEN` more as visibility falls to 0
MISSED_HIDDEN = 0.3
HEDGED = 0.04  # likewise
HEDGED_HIDDEN = 0.7
INVENTED = 0.024  # of absent or invisible findings, each; half of them hedged
CITING = 0.5  # of follow-up reports
CITING_ELSEWHERE = 0.3  # of first reports: the study they cite is not in the data
WRONG_CHANGE = 0.03  # of comparison sentences; their direction is drawn blindly
COPIED = 0.15  # of follow-up reports: a sentence of the report before, true or not
MENTIONED = {  # chance that the absence of a finding is stated
    "Enlarged Cardiomediastinum": 0.3,
    "Cardiomegaly": 0.6,
    "Lung Lesion": 0.12,
    "Lung Opacity": 0.1,
    "Edema": 0.4,
    "Consolidation": 0.6,
    "Pneumonia": 0.25,
    "Atelectasis": 0.06,
    "Pneumothorax": 0.75,
    "Pleural Effusion": 0.75,
    "Pleural Other": 0.03,
    "Fracture": 0.25,
}
INVENTIBLE = tuple(name for name in MENTIONED if name not in ("Lung Opacity", "Pneumonia"))
Mentioned = dict[str, tuple[Finding, int]]


class Reporter:
    """Draws one report of a site, in its `style`; the cohort's seed deals what is mentioned."""

    def __init__(
        self, rng: np.random.Generator, style: str, *, site: str, cohort_seed: int
    ) -> None:
        self.rng = rng
        self.style = STYLES[style]
        self.words = Wording(rng, style)
        self.extras = mention_chances(cohort_seed, site)

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

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
        citing = self.chance(CITING_ELSEWHERE if prior is None else CITING)
        body = Draft("FINDINGS")
        progression: Labels = {}
        mentioned: Mentioned = {}
        for name in self.style.order:
            finding = state.get(name)
            code = self._decide(visibility.get(name, 0.0))
            if finding is None or code == 0:
                continue
            mentioned[name] = (finding, code)
            old = prior.get(name) if prior is not None and name in seen_before else None
            compared = citing and code == 1 and (old is not None or prior is None)
            if compared and self.chance(0.8 if old else 0.4):
                self._compare(body, finding, old, progression)
            else:
                self._state(body, finding, code, new=citing and prior is not None and old is None)
        if citing and prior is not None:
            self._resolve(body, state, prior, seen_before, progression)
        self._mention_extras(body, state, visibility)
        if previous is not None and self.chance(COPIED):
            self._copy(body, previous)
        mentioned |= self._invent(body, mentioned)
        visible = {name for name, value in visibility.items() if value >= SEEN}
        if not mentioned and not body.parts and self.chance(self.style.stock):
            stock = phrases_absent.STOCK
            for text, denied in stock[int(self.rng.integers(len(stock)))]:
                body.say(text, dict.fromkeys(denied, 0))
        else:
            self._deny(body, mentioned)
        self._habits(body, visible)
        impression = self._impress(mentioned, body.affirmed())
        return assemble([*self._heading(views, citing), body, impression], progression)

    def _decide(self, visibility: float) -> int:
        """Returns 1 affirmed, -1 hedged, 0 nothing said."""
        if visibility < SEEN:
            return 0
        hidden = 1 - visibility
        if self.chance(MISSED + MISSED_HIDDEN * hidden):
            return 0
        return -1 if self.chance(HEDGED + HEDGED_HIDDEN * hidden) else 1

    def _state(self, body: Draft, finding: Finding, code: int, new: bool) -> None:
        if finding.name == "Support Devices":
            for kind in finding.kind:
                body.say(self.words.pick(phrases.DEVICE[kind]), {"Support Devices": 1})
            return
        text = self.words.state(finding, code)
        if new and self.chance(0.4):
            text = f"{text}, {self.words.pick(phrases_change.NEW)}"
        body.say(text, labels_of(finding, code, text))

    def _compare(
        self, body: Draft, finding: Finding, old: Finding | None, progression: Labels
    ) -> None:
        """Compares with the previous study, or with one outside the data (`old` None)."""
        step = change_code(old, finding, STEP) if old else 0
        if finding.name == "Support Devices":
            step = 0
        elif old is None or self.chance(WRONG_CHANGE):
            step = int(self.rng.integers(-1, 2))
        noun = self.words.noun(finding)
        changed = self.words.pick(phrases_change.CHANGES[step])
        if finding.name == "Support Devices":
            changed = "is unchanged"
        opening = self.words.pick(phrases_change.PRIORS)
        body.say(f"{opening}the {noun} {changed}", labels_of(finding, 1, noun))
        if old is not None:
            progression[finding.name] = step

    def _resolve(
        self,
        body: Draft,
        state: State,
        prior: State,
        seen_before: Collection[str],
        progression: Labels,
    ) -> None:
        for name in self.style.order:
            gone = name in seen_before and name not in state and name != "Support Devices"
            if gone and self.chance(0.6):
                resolved = self.words.pick(phrases_change.RESOLVED)
                opening = self.words.pick(phrases_change.PRIORS)
                noun = self.words.noun(prior[name])
                body.say(f"{opening}the {noun} {resolved}", labels_of(prior[name], 0, noun))
                progression[name] = -1

    def _mention_extras(self, body: Draft, state: State, visibility: Mapping[str, float]) -> None:
        for name, share in self.extras.items():
            if name in state and visibility[name] >= SEEN and self.chance(share):
                template = self.words.pick(EXTRA_POSITIVE[name])
                body.say(self.words.fill(template, state[name]))

    def _copy(self, body: Draft, previous: Report) -> None:
        """Carries a sentence forward unless this report has spoken about what it says."""
        sentences = [
            (text, named)
            for text, labels in previous.sentences_of("FINDINGS")
            if (named := {name: code for name, code in labels.items() if name != "No Finding"})
            and not any(body.mentions(name) for name in named)
        ]
        if sentences:
            body.say(*sentences[int(self.rng.integers(len(sentences)))])

    def _invent(self, body: Draft, mentioned: Mentioned) -> Mentioned:
        """Sees, at the stated rate, what is not there."""
        invented: Mentioned = {}
        for name in INVENTIBLE:
            if name in mentioned or body.mentions(name) or not self.chance(INVENTED):
                continue
            key = int(self.rng.integers(2**31))
            place = "lower" if name in (*OPACITIES, "Fracture") else ""
            right = self.chance(0.5)
            finding = Finding(name, 0.2 * right, 0.2 * (not right), place, (), key)
            code = 1 if self.chance(0.5) else -1
            text = self.words.state(finding, code)
            body.say(text, labels_of(finding, code, text))
            invented[name] = (finding, code)
        return invented

    def _deny(self, body: Draft, mentioned: Mentioned) -> None:
        """Says what is absent."""
        opaque = any(name in mentioned for name in OPACITIES) or body.mentions("Lung Opacity")
        if not opaque and not body.mentions("Consolidation") and self.chance(self.style.clear):
            body.say(self.words.pick(phrases_absent.CLEAR), {"Lung Opacity": 0, "Consolidation": 0})
        absent = [
            name
            for name, share in MENTIONED.items()
            if not body.mentions(name) and not (name == "Lung Opacity" and opaque)
            if self.chance(share)
        ]
        absent = [absent[int(i)] for i in self.rng.permutation(len(absent))]
        listed = [name for name in absent if name in phrases_absent.LISTED]
        if len(listed) >= 2 and self.chance(self.style.listing):
            openings = phrases_absent.LIST_OPENINGS[: 4 if opaque else None]
            words = [phrases_absent.LISTED[name] for name in listed]
            joined = ", ".join(words[:-1]) + (", or " if len(words) > 2 else " or ") + words[-1]
            body.say(self.words.pick(openings) + joined, dict.fromkeys(listed, 0))
            absent = [name for name in absent if name not in listed]
        for name in absent:
            body.say(self.words.pick(phrases_absent.NEGATIVE[name]), {name: 0})

    def _habits(self, body: Draft, visible: Collection[str]) -> None:
        """Adds what is said of habit, unless it is plainly untrue."""
        for text, untrue_with in phrases_frame.BOILERPLATE.items():
            share = self.style.boilerplate / len(phrases_frame.BOILERPLATE)
            if self.chance(share) and not untrue_with & set(visible):
                body.say(text)
        if self.chance(self.style.incidental):
            body.say(self.words.pick(phrases_frame.INCIDENTAL))
        if self.chance(self.style.modalities):
            body.say(self.words.pick(phrases_frame.OTHER_MODALITY))

    def _impress(self, mentioned: Mentioned, affirmed: Collection[str]) -> Draft:
        """Sums up; it does not call a report normal that has copied a finding."""
        draft = Draft("IMPRESSION", numbered=self.chance(self.style.numbered))
        topics = [(f, c) for name, (f, c) in mentioned.items() if name != "Support Devices"]
        topics.sort(key=lambda pair: -pair[0].severity)
        for finding, code in topics[:3]:
            text = self.words.state(finding, code)
            draft.say(text, labels_of(finding, code, text))
        if not topics and set(affirmed) - {"Support Devices"}:
            draft.say(self.words.pick(phrases_change.SAME))
        elif not topics:
            draft.say(self.words.pick(phrases_absent.NORMAL), {"No Finding": 1})
        urgent = "Pneumothorax" in mentioned and mentioned["Pneumothorax"][1] == 1
        if self.chance(self.style.communication + 0.5 * urgent):
            draft.say(self.words.pick(phrases_frame.COMMUNICATION))
        return draft

    def _heading(self, views: Sequence[str], citing: bool) -> list[Draft]:
        pick = self.words.pick
        indication, technique = Draft("INDICATION"), Draft("TECHNIQUE")
        comparison = Draft("COMPARISON")
        indication.say(pick(phrases_frame.SUBJECTS) + pick(phrases_frame.REASONS))
        key = "both" if len(views) > 1 else views[0]
        technique.say(pick(phrases_frame.TECHNIQUES[key]))
        cited = phrases_frame.COMPARISON if citing else phrases_frame.NO_COMPARISON
        other = self.chance(self.style.modalities)
        if citing or not other:
            comparison.say(pick(cited))
        if other:
            comparison.say(pick(phrases_frame.OTHER_COMPARISON))
        return [indication, technique, comparison]


def labels_of(finding: Finding, code: int, text: str) -> Labels:
    """What the words for a finding say about it, its parent and pneumonia.

    Pneumonia is a consolidation, but not every wording calls it one; an opacity of a doubtful
    kind is an opacity all the same.
    """
    labels = {}
    if finding.pneumonia:
        labels["Pneumonia"] = code
    if not finding.pneumonia or "consolidation" in text:
        labels[finding.name] = code
    if "atelectasis versus" in text:
        labels["Atelectasis"] = code
    if finding.name in OPACITIES and code != 0:
        labels["Lung Opacity"] = 1 if "opacit" in text else code
    return labels
