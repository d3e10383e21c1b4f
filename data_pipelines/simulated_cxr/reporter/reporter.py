# SPDX-License-Identifier: Apache-2.0
"""Writes the report of a study from what can be seen in its images, with labels per sentence.

The reporter sees visibilities, not the truth: the lower the visibility, the likelier a finding
is hedged or missed. Rates are in `rates.py`. Sentence labels say what the sentence says
(1 affirmed, -1 hedged, 0 denied), so they are right even where the reporter is wrong.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from medst_jax.data_pipelines.simulated_cxr.findings.findings import OPACITIES
from medst_jax.data_pipelines.simulated_cxr.findings.states import Finding, State
from medst_jax.data_pipelines.simulated_cxr.findings.visibility import SEEN
from medst_jax.data_pipelines.simulated_cxr.reporter import (
    phrases,
    phrases_absent,
    phrases_change,
    phrases_frame,
    rates,
)
from medst_jax.data_pipelines.simulated_cxr.reporter.impression import impress
from medst_jax.data_pipelines.simulated_cxr.reporter.mention_tiers import mention_chances
from medst_jax.data_pipelines.simulated_cxr.reporter.phrases_extra import EXTRA_POSITIVE
from medst_jax.data_pipelines.simulated_cxr.reporter.report import (
    Draft,
    Labels,
    Report,
    assemble,
)
from medst_jax.data_pipelines.simulated_cxr.reporter.styles import STYLES
from medst_jax.data_pipelines.simulated_cxr.reporter.topics import (
    Mentioned,
    Topic,
    labels_of,
    perceived_step,
    same_finding,
)
from medst_jax.data_pipelines.simulated_cxr.reporter.wording import Wording

__all__ = ["Report", "Reporter"]


class Reporter:
    """Draws one report of a site, in its `style`; the cohort's seed deals what is mentioned.

    `comparing`, 0 to 1, scales the rates at which changes are told, `COMPARED` to `TOLD` of `rates`; a share
    `placed` of the descriptions names the place.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        style: str,
        *,
        site: str,
        cohort_seed: int,
        comparing: float = 1.0,
        placed: float = rates.PLACED,
    ) -> None:
        self.rng = rng
        self.style = STYLES[style]
        self.words = Wording(rng, style, placed)
        self.comparing = comparing
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
        citing = self.chance(rates.CITING_ELSEWHERE if prior is None else rates.CITING)
        body = Draft("FINDINGS")
        progression: Labels = {}
        mentioned: Mentioned = {}
        for name in self.style.order:
            finding = state.get(name)
            code = self._decide(visibility.get(name, 0.0))
            if finding is None or code == 0:
                continue
            old = same_finding(name, state, prior) if name in seen_before else None
            topic = Topic(finding, code, old, new=citing and prior is not None and old is None)
            if citing and code == 1 and (old is not None or prior is None):
                topic = replace(topic, step=self._step(topic, visibility[name]))
            mentioned[name] = topic
            share = rates.COMPARED if old else rates.COMPARED_ELSEWHERE
            if topic.step is None or not self.chance(share * self.comparing):
                self._state(body, topic)
                continue
            self._compare(body, topic)
            if old is not None:
                progression[name] = topic.step
        gone = []
        if citing and prior is not None:
            gone = self._resolve(body, state, prior, seen_before, progression)
        self._mention_extras(body, state, visibility)
        if previous is not None and self.chance(rates.COPIED):
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
        impression = impress(
            self.rng,
            self.words,
            self.style,
            mentioned,
            gone,
            body.affirmed(),
            progression,
            rates.TOLD * self.comparing if citing and prior is not None else 0.0,
        )
        return assemble([*self._heading(views, citing), body, impression], progression)

    def _decide(self, visibility: float) -> int:
        """Returns 1 affirmed, -1 hedged, 0 nothing said."""
        if visibility < SEEN:
            return 0
        hidden = 1 - visibility
        if self.chance(rates.MISSED + rates.MISSED_HIDDEN * hidden):
            return 0
        return -1 if self.chance(rates.HEDGED + rates.HEDGED_HIDDEN * hidden) else 1

    def _step(self, topic: Topic, visibility: float) -> int:
        """How a finding changed since the previous study, or one outside the data (no `old`)."""
        if topic.finding.name == "Support Devices":
            return 0
        if topic.old is None or self.chance(rates.WRONG_CHANGE):
            return int(self.rng.integers(-1, 2))
        return perceived_step(self.rng, topic.old, topic.finding, visibility)

    def _state(self, body: Draft, topic: Topic) -> None:
        finding, code = topic.finding, topic.code
        if finding.name == "Support Devices":
            for kind in finding.kind:
                body.say(self.words.pick(phrases.DEVICE[kind]), {"Support Devices": 1})
            return
        text = self.words.state(finding, code)
        if topic.new and self.chance(rates.NEW * self.comparing):
            text = f"{text}, {self.words.pick(phrases_change.NEW)}"
        body.say(text, labels_of(finding, code, text))

    def _compare(self, body: Draft, topic: Topic) -> None:
        """Compares with the previous study, or with one outside the data."""
        finding = topic.finding
        noun = self.words.noun(finding)
        changed = self.words.pick(phrases_change.CHANGES[topic.step or 0])
        if finding.name == "Support Devices":
            changed = "is unchanged"
        opening = self.words.pick(phrases_change.PRIORS)
        body.say(f"{opening}the {noun} {changed}", labels_of(finding, 1, noun))

    def _resolve(
        self,
        body: Draft,
        state: State,
        prior: State,
        seen_before: Collection[str],
        progression: Labels,
    ) -> list[Finding]:
        """Says what has gone; returns the findings."""
        resolved = []
        for name in self.style.order:
            gone = name in seen_before and name not in state and name != "Support Devices"
            if gone and self.chance(rates.GONE * self.comparing):
                words = self.words.pick(phrases_change.RESOLVED)
                opening = self.words.pick(phrases_change.PRIORS)
                noun = self.words.noun(prior[name])
                body.say(f"{opening}the {noun} {words}", labels_of(prior[name], 0, noun))
                progression[name] = -1
                resolved.append(prior[name])
        return resolved

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
        for name in rates.INVENTIBLE:
            if name in mentioned or body.mentions(name) or not self.chance(rates.INVENTED):
                continue
            key = int(self.rng.integers(2**31))
            place = "lower" if name in (*OPACITIES, "Fracture") else ""
            right = self.chance(0.5)
            finding = Finding(name, 0.2 * right, 0.2 * (not right), place, (), key)
            code = 1 if self.chance(0.5) else -1
            text = self.words.state(finding, code)
            body.say(text, labels_of(finding, code, text))
            invented[name] = Topic(finding, code)
        return invented

    def _deny(self, body: Draft, mentioned: Mentioned) -> None:
        """Says what is absent."""
        opaque = any(name in mentioned for name in OPACITIES) or body.mentions("Lung Opacity")
        if not opaque and not body.mentions("Consolidation") and self.chance(self.style.clear):
            body.say(self.words.pick(phrases_absent.CLEAR), {"Lung Opacity": 0, "Consolidation": 0})
        absent = [
            name
            for name, share in rates.MENTIONED.items()
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
