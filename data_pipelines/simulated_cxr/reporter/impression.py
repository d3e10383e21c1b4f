# SPDX-License-Identifier: Apache-2.0
"""The impression: what changed and what is severe, with how it changed and where it is."""

from collections.abc import Collection, Sequence

import numpy as np

from medst_jax.data_pipelines.simulated_cxr.findings.states import Finding
from medst_jax.data_pipelines.simulated_cxr.reporter import (
    phrases_absent,
    phrases_change,
    phrases_frame,
)
from medst_jax.data_pipelines.simulated_cxr.reporter.report import Draft, Labels
from medst_jax.data_pipelines.simulated_cxr.reporter.styles import Style, usual
from medst_jax.data_pipelines.simulated_cxr.reporter.topics import Mentioned, Topic, labels_of
from medst_jax.data_pipelines.simulated_cxr.reporter.wording import Wording

TOPICS = 4  # at most (chosen)
RESOLVED_TOPICS = 2  # at most, of findings that are gone (chosen)


def impress(
    rng: np.random.Generator,
    words: Wording,
    style: Style,
    mentioned: Mentioned,
    gone: Sequence[Finding],
    affirmed: Collection[str],
    progression: Labels,
    told: float,
) -> Draft:
    """Sums up; it does not call a report normal that has copied a finding.

    Args:
      mentioned: the topics of the report, by finding.
      gone: findings of the study before that the report calls resolved.
      affirmed: findings that the report affirms or hedges.
      progression: what the report has compared; gets what is compared here.
      told: chance that a topic carries its change, that it is new, or that it has gone.
    """
    draft = Draft("IMPRESSION", numbered=bool(rng.random() < style.numbered))
    topics = [topic for name, topic in mentioned.items() if name != "Support Devices"]
    topics.sort(key=lambda topic: -topic.weight)
    for topic in topics[:TOPICS]:
        text = _changed(rng, words, topic) if rng.random() < told else ""
        if text and topic.step is not None:
            progression[topic.finding.name] = topic.step
        text = text or words.state(topic.finding, topic.code)
        draft.say(text, labels_of(topic.finding, topic.code, text))
    resolved = [finding for finding in gone[:RESOLVED_TOPICS] if rng.random() < told]
    for finding in resolved:
        noun = words.noun(finding)
        text = words.pick(phrases_change.GONE).format(noun=noun)
        draft.say(text, labels_of(finding, 0, noun))
    if not topics and set(affirmed) - {"Support Devices"}:
        draft.say(words.pick(phrases_change.SAME))
    elif not topics:
        often = rng.random() < style.usual
        normal = phrases_absent.NORMAL
        text = usual(style.name, normal) if often else words.pick(normal)
        draft.say(text, {"No Finding": 1})
    urgent = "Pneumothorax" in mentioned and mentioned["Pneumothorax"].code == 1
    if rng.random() < style.communication + 0.5 * urgent:
        draft.say(words.pick(phrases_frame.COMMUNICATION))
    return draft


def _changed(rng: np.random.Generator, words: Wording, topic: Topic) -> str:
    """The words for a topic with its change; empty where there is none to tell."""
    if topic.code == 1 and topic.step is not None:
        noun = words.noun(topic.finding)
        text = words.pick(phrases_change.SUMMED_UP[topic.step]).format(noun=noun)
        return f"{text}, now {words.degree(topic.finding)}" if rng.random() < 0.5 else text
    if topic.new and topic.code == 1:
        return f"new {words.noun(topic.finding, degree=True)}"
    return ""
