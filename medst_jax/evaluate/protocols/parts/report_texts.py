# SPDX-License-Identifier: Apache-2.0
"""The texts that protocols take from reports, and which of them are equal."""

import numpy as np

from medst_jax.data.records.studies import Studies

SECTIONS = ("findings", "impression")


def report_sentences(studies: Studies, row: int, sections: tuple[str, ...] = SECTIONS) -> list[str]:
    """Sentences of the named sections, or of the whole report when it has none of them."""
    study = studies[row]
    wanted = [k for k, (name, _) in enumerate(study.sections) if name.lower() in sections]
    wanted = wanted or list(range(len(study.sections)))
    sentences = [
        study.sentence_text(k)
        for k, sentence in enumerate(study.sentences)
        if sentence.section in wanted
    ]
    return sentences or [text for k in wanted if (text := study.sections[k][1].strip())]


def text_numbers(texts: list[str]) -> np.ndarray:
    """int [n], equal where the texts are after folding case and white space, from 0."""
    folded = [" ".join(text.lower().split()) for text in texts]
    return np.unique(folded, return_inverse=True)[1]


def same_text(texts: list[str]) -> np.ndarray:
    """bool [n, n]: equal in the sense of `text_numbers`."""
    numbers = text_numbers(texts)
    return numbers[:, None] == numbers[None, :]
