# SPDX-License-Identifier: Apache-2.0
"""The texts that a sample may get: sentences of its report, the whole report, or prompts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from medst_jax.data.batch import TEXT_NONE, TEXT_PROMPT, TEXT_REPORT
from medst_jax.data.mixture.labels import merge_codes, to_union
from medst_jax.data.mixture.no_finding import mark_contradictions
from medst_jax.data.mixture.prompts import OTHER, prompt
from medst_jax.data.records.schema import BLANK, NEGATIVE, OUTSIDE, POSITIVE, UNCERTAIN
from medst_jax.data.records.study import Study
from medst_jax.text.cleaning import only_words
from medst_jax.text.headings import is_describing, is_silent, reading_of
from medst_jax.text.prompts import Polarity, PromptBank

Order = Literal["one", "all", "shuffled"]
_POLARITIES: dict[int, Polarity] = {
    POSITIVE: "positive",
    NEGATIVE: "negative",
    UNCERTAIN: "uncertain",
}


@dataclass(frozen=True)
class SampledText:
    """A sampled text: its sentences, label codes int8 [K, C] of each in the union, and its source."""

    sentences: tuple[str, ...]
    codes: np.ndarray
    source: int

    def codes_of_first(self, count: int) -> np.ndarray:
        """Codes int8 [C] of the first `count` sentences as one text."""
        return self.codes[0] if count <= 1 else merge_codes(self.codes[:count])


def no_text(classes: int) -> SampledText:
    """The text of a sample that has none: every label outside the vocabulary."""
    return SampledText((), np.full((1, classes), OUTSIDE, np.int8), TEXT_NONE)


def report_sentences(study: Study) -> list[int]:
    """Numbers of the sentences that describe the image.

    Those of FINDINGS and IMPRESSION (or what stands for them); where a report has neither
    section, those of all sections but the ones that ask, compare, plan or inform, of the final
    report rather than of a wet read or an addendum. Sentences without a letter are left out.
    """
    names = [name.strip() for name in study.section_names]
    usable = {i for i, name in enumerate(names) if is_describing(name)}
    if not usable:
        usable = {i for i, name in enumerate(names) if not is_silent(name)}
        usable = {i for i in usable if reading_of(names[i]) is None} or usable
    return [
        k
        for k, (section, _, _) in enumerate(study.spans)
        if section in usable and any(map(str.isalpha, study.sentence_text(k)))
    ]


def section_sentences(study: Study, name: str) -> list[int]:
    """Numbers of the sentences of the sections called `name` that have a letter."""
    return [
        k
        for k, (section, _, _) in enumerate(study.spans)
        if study.section_names[section].casefold().strip() == name
        and any(map(str.isalpha, study.sentence_text(k)))
    ]


def text_of(study: Study, chosen: list[int], *, cleaned: bool = False) -> tuple[str, ...]:
    """The sentences, each in one line, or `cleaned` the words of each."""
    sentences = (" ".join(study.sentence_text(k).split()) for k in chosen)
    return tuple(map(only_words, sentences)) if cleaned else tuple(sentences)


def candidate_sentences(
    study: Study, sections: Sequence[str] = (), *, as_named: bool = False
) -> list[int]:
    """Numbers of the sentences that texts are made of.

    Args:
      study: whose report.
      sections: names of those to draw from, where the report has them; else all that describe.
      as_named: in the order of `sections`; else in that of the report.
    """
    named = dict.fromkeys(k for name in sections for k in section_sentences(study, name))
    return (list(named) if as_named else sorted(named)) or report_sentences(study)


def report_texts(
    study: Study,
    columns: np.ndarray,
    texts: Sequence[list[int]],
    union: Sequence[str] = (),
    *,
    cleaned: bool = False,
) -> list[SampledText]:
    """Sentences of a report as texts.

    Args:
      study: whose report.
      columns: of each class of the union in the data set's labels, -1 for none.
      texts: numbers of the sentences of each, in their order there; at least one.
      union: its classes, among which "No Finding" is told of whole texts; none for a text of
        one sentence, and where any sentence may say it.
      cleaned: whether they are words alone, see `medst_jax.text.cleaning`.
    """
    codes = to_union(study.all_sentence_codes, columns)
    used = sorted({k for chosen in texts for k in chosen})
    codes[used] = mark_contradictions(
        codes[used], union, [study.sentence_text(k) for k in used] if len(used) > 1 else ()
    )
    return [
        SampledText(text_of(study, chosen, cleaned=cleaned), codes[chosen], TEXT_REPORT)
        for chosen in texts
    ]


def prompts_of(union: Sequence[str], codes: np.ndarray, present: np.ndarray) -> list[SampledText]:
    """The prompt of each positive class; "other finding" if there is none.

    Args:
      union: the classes.
      codes: of the study, int8 [C]; a prompt is labelled for the classes inside its vocabulary.
      present: bool [C], the classes that are positive after the policy.
    """
    # A prompt names one class, so its label vector is one-hot: negative for every other class that the
    # data set knows, whatever the study's own labels say.
    absent = np.where(codes == OUTSIDE, OUTSIDE, NEGATIVE).astype(np.int8)
    positives = np.flatnonzero(present)
    if not len(positives):
        return [SampledText((prompt(OTHER),), absent[None], TEXT_PROMPT)]
    texts = []
    for c in positives.tolist():
        affirmed = absent.copy()
        affirmed[c] = POSITIVE
        texts.append(SampledText((prompt(union[c]),), affirmed[None], TEXT_PROMPT))
    return texts


def draw_bank_sentences(
    bank: PromptBank,
    union: Sequence[str],
    codes: np.ndarray,
    order: Order,
    rng: np.random.Generator,
) -> SampledText | None:
    """Sentences of a prompt bank that agree with a study's labels; None if it has none for them.

    A positive class is affirmed, a negative one denied, an uncertain one doubted, each by a sentence
    drawn from the bank. Classes that are blank, or of whose code the bank has no sentence, are not
    mentioned.

    Args:
      bank: whose sentences.
      union: the classes.
      codes: of the study, int8 [C].
      order: "one" sentence, of a positive class where there is one; "all" in the order of the
        classes, or "shuffled" (CXR-CLIP, You et al., MICCAI 2023).
      rng: the sample's own.
    """
    mentioned = [
        c
        for c, code in enumerate(codes)
        if _POLARITIES.get(int(code), "") in bank.classes.get(union[c].lower(), ())
    ]
    if not mentioned:
        return None
    if order == "one":
        mentioned = [c for c in mentioned if codes[c] == POSITIVE] or mentioned
        mentioned = [mentioned[rng.integers(len(mentioned))]]
    elif order == "shuffled":
        mentioned = [mentioned[k] for k in rng.permutation(len(mentioned))]
    choices = [bank.prompts(union[c], _POLARITIES[int(codes[c])]) for c in mentioned]
    sentences = tuple(texts[rng.integers(len(texts))] for texts in choices)
    # Each sentence is labelled for its own class; of the others it is silent, and a class outside
    # the data set's vocabulary stays outside.
    silent = np.where(codes == OUTSIDE, OUTSIDE, BLANK).astype(np.int8)
    sentence_codes = np.tile(silent, (len(mentioned), 1))
    sentence_codes[np.arange(len(mentioned)), mentioned] = codes[mentioned]
    return SampledText(sentences, sentence_codes, TEXT_PROMPT)
