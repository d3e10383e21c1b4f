# SPDX-License-Identifier: Apache-2.0
"""Pairs of sentences whose relation is known, drawn from the reporter's phrases.

Subsets: `progression`, two comparisons of one finding that agree ("similar") or differ
("different") in direction, as the temporal sentence similarity of MS-CXR-T has them (Bannur et
al., CVPR 2023); `presence`, two sentences about one finding that both affirm it (entailment),
affirm and deny it (contradiction), or are about different findings (neutral).
"""

from collections.abc import Iterator, Sequence

import numpy as np

from medst_jax.data.records.annotations import SentencePair
from medst_jax.data_pipelines.simulated_cxr.findings.states import Finding, onset
from medst_jax.data_pipelines.simulated_cxr.reporter import phrases_absent, phrases_change
from medst_jax.data_pipelines.simulated_cxr.reporter.report import Draft
from medst_jax.data_pipelines.simulated_cxr.reporter.wording import Wording
from medst_jax.data_pipelines.simulated_cxr.seeds import stream

COUNT = 400  # pairs per subset
COMPARED = ("Consolidation", "Edema", "Pleural Effusion", "Pneumothorax", "Atelectasis")
DENIED = (*COMPARED, "Cardiomegaly", "Lung Lesion", "Fracture")
_ATTEMPTS = 50


def sentence_pairs(seed: int, site: str, style: str) -> Iterator[SentencePair]:
    """Yields `COUNT` pairs of each subset, no pair of equal sentences and no pair twice."""
    rng = stream(seed, site, 0, "sentence pairs")
    words = Wording(rng, style)
    for subset, draw in (("progression", _progression), ("presence", _presence)):
        known: set[tuple[str, str]] = set()
        for number in range(COUNT):
            for _ in range(_ATTEMPTS):
                text_a, text_b, relation = draw(rng, words, number)
                if text_a != text_b and (text_a, text_b) not in known:
                    known.add((text_a, text_b))
                    yield SentencePair(text_a, text_b, relation, subset)
                    break


def _progression(rng: np.random.Generator, words: Wording, number: int) -> tuple[str, str, str]:
    finding = onset(rng, _one_of(rng, COMPARED))
    first = int(rng.integers(-1, 2))
    same = number % 2 == 0
    others = [step for step in (-1, 0, 1) if step != first]
    second = first if same else others[int(rng.integers(2))]
    # Both sentences name the finding in the same words: what differs is the change.
    noun = words.noun(finding)
    text_a, text_b = (
        _sentence(
            f"{words.pick(phrases_change.PRIORS)}the {noun} "
            f"{words.pick(phrases_change.CHANGES[step])}"
        )
        for step in (first, second)
    )
    return text_a, text_b, "similar" if same else "different"


def _presence(rng: np.random.Generator, words: Wording, number: int) -> tuple[str, str, str]:
    relation = ("entailment", "contradiction", "neutral")[number % 3]
    name = _one_of(rng, DENIED)
    finding = onset(rng, name)
    text_a = _sentence(words.state(finding, 1))
    if relation == "contradiction":
        return text_a, _sentence(words.pick(phrases_absent.NEGATIVE[name])), relation
    if relation == "entailment":
        return text_a, _sentence(_bare(words, finding)), relation
    other = _one_of(rng, [n for n in DENIED if n != name])
    return text_a, _sentence(words.state(onset(rng, other), 1)), relation


def _bare(words: Wording, finding: Finding) -> str:
    """Says no more than that the finding is there."""
    noun = words.noun(finding)
    return words.pick((f"the {noun} is present", f"there is evidence of the {noun}"))


def _one_of(rng: np.random.Generator, names: Sequence[str]) -> str:
    return names[int(rng.integers(len(names)))]


def _sentence(text: str) -> str:
    draft = Draft("")
    draft.say(text)
    return draft.parts[0][0]
