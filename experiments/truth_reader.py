# SPDX-License-Identifier: Apache-2.0
"""A reader who is given each study's truth and learns which words of a report go with it.

It tells how much there is to learn of which of a patient's reports belongs to which study. It sees no
image: it is given the true findings, severities, sides and zones, what the frontal image shows, and what
changed since the patient's study before, and learns on half of the patients which words go with them (a
logistic regression for each word). A text's score with a study is its log likelihood given the study's
truth. It knows no synonyms and reads words one by one: a better reader may exist.
"""

import re
from collections import Counter
from collections.abc import Mapping

import numpy as np
from sklearn.linear_model import LogisticRegression

from medst_jax.data.records.studies import Studies
from medst_jax.data.records.timeline import patient_slices
from medst_jax.data_pipelines.simulated_cxr.findings.findings import (
    SIDE_BOTH,
    SIDE_LEFT,
    SIDE_MIDLINE,
    SIDE_RIGHT,
)
from medst_jax.evaluate.protocols.parts.report_texts import report_sentences, same_text
from medst_jax.evaluate.protocols.patient_retrieval import within
from medst_jax.evaluate.statistics.measure import Measurement, measure_one
from medst_jax.evaluate.statistics.predictions import Predictions

_RARE = 20  # words in fewer texts are left out
_SIDES = (SIDE_RIGHT, SIDE_LEFT, SIDE_BOTH, SIDE_MIDLINE)
_FLOOR = 1e-3  # of a probability

Truth = Mapping[str, np.ndarray]


def readable(
    studies: Studies, sections: tuple[str, ...], limit: int
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Patients int [n], truths [n, F] and texts of the studies that have an image and a text.

    A truth holds what each image of the study shows, and how it changed since the study before.
    """
    patients, truths, texts = [], [], []
    for row in np.flatnonzero(studies.index.has_frontal)[:limit]:
        sentences = report_sentences(studies, int(row), sections)
        if sentences:
            patient = int(studies.index.patient[row])
            texts.append(" ".join(sentences))
            follows = row > 0 and int(studies.index.patient[row - 1]) == patient
            before = studies[int(row) - 1].truth if follows else None
            truths.append(truth_row(studies[int(row)].truth, before))
            patients.append(patient)
    return np.array(patients), np.stack(truths), texts


def truth_row(truth: Truth, before: Truth | None) -> np.ndarray:
    """What is known of a study [F]: findings, severities, sides, what shows, and what changed."""
    findings = np.asarray(truth["truth_findings"], np.float32)
    severity = findings * truth["truth_severity"]
    seen = np.asarray(truth["truth_visible_in"])
    sides = [findings * (np.asarray(truth["truth_side"]) == side) for side in _SIDES]
    levels = [findings * (np.floor(3 * severity).clip(0, 2) == level) for level in range(3)]
    now = [findings, severity, seen & 1, seen >> 1, *levels, *sides]
    if before is None:
        return np.concatenate([*now, np.zeros(1 + 3 * len(findings))])
    had = np.asarray(before["truth_findings"], np.float32)
    change = severity - had * before["truth_severity"]
    return np.concatenate([*now, [1.0], change, findings * (1 - had), had * (1 - findings)])


def word_table(texts: list[str]) -> np.ndarray:
    """Which of the common words each text has, bool [n, W]."""
    words_of = [set(re.findall(r"[a-z]+", text.lower())) for text in texts]
    counts = Counter(word for words in words_of for word in words)
    common = sorted(w for w, n in counts.items() if _RARE <= n <= len(texts) - _RARE)
    return np.array([[word in words for word in common] for words in words_of])


def likelihoods(truths: np.ndarray, words: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Log likelihood [m, m] of each held-out text (column) given each held-out truth (row)."""
    log_odds, log_absent, spoken = [], [], []
    for has_word in words.T:
        if len(np.unique(has_word[train])) < 2:
            continue
        model = LogisticRegression(C=0.3, max_iter=300).fit(truths[train], has_word[train])
        p = np.clip(model.predict_proba(truths[~train])[:, 1], _FLOOR, 1 - _FLOOR)
        log_odds.append(np.log(p / (1 - p)))
        log_absent.append(np.log(1 - p))
        spoken.append(has_word[~train])
    matrix = np.stack(log_odds, 1) @ np.stack(spoken).astype(float)
    return matrix + np.sum(log_absent, axis=0)[:, None]


def informative(scores: np.ndarray) -> np.ndarray:
    """Pointwise mutual information [m, m] of log likelihoods: less that of the text of any study."""
    highest = scores.max(0)
    return scores - highest - np.log(np.exp(scores - highest).mean(0))


def measure_reader(
    scores: np.ndarray, patients: np.ndarray, texts: list[str]
) -> dict[str, Measurement]:
    """Pairwise accuracy within patients, and against others, with 95% intervals over patients."""
    accuracies = [within(scores[s, s], same_text(texts[s])) for s in patient_slices(patients)]
    own = np.diagonal(scores)[:, None]
    strange = (patients[:, None] != patients[None, :]) & ~same_text(texts)
    accuracy = {
        "image to text": np.concatenate([pair[0][:, 0] for pair in accuracies]),
        "text to image": np.concatenate([pair[1][:, 0] for pair in accuracies]),
        "image to text, other patients": (strange & (own > scores)).sum(1) / strange.sum(1),
    }
    return {name: _interval(values, patients) for name, values in accuracy.items()}


def _interval(values: np.ndarray, patients: np.ndarray) -> Measurement:
    known = ~np.isnan(values)
    numbers = Predictions.measured(patients[known], values[known, None], ("accuracy",))
    return measure_one(numbers, "accuracy")
