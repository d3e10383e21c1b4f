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

import numpy as np
from sklearn.linear_model import LogisticRegression

from experiments.taught.facts import ZONES
from experiments.taught.facts import true as true_facts
from medst_jax.data.records.studies import Studies
from medst_jax.data.records.timeline import patient_slices, prior_rows
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


def readable(
    studies: Studies, sections: tuple[str, ...], limit: int
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Patients int [n], truths [n, F] and texts of the studies that have an image and a text."""
    rows = np.flatnonzero(studies.index.has_frontal)[:limit]
    people = np.asarray(studies.index.patient)[rows]
    told = [dict(studies[int(row)].truth) for row in rows]
    before = prior_rows(people, np.ones(len(rows), bool))
    first = studies[int(rows[0])].frontal()
    side = first.height if first else 1
    zone = true_facts(told, before, side).zone[..., None] == np.arange(len(ZONES))
    truths = np.concatenate(
        [
            np.stack([_truth(one) for one in told]),
            zone.reshape(len(rows), -1),
            _changes(told, before),
        ],
        axis=1,
    )
    texts = [" ".join(report_sentences(studies, int(row), sections)) for row in rows]
    written = np.array([bool(text) for text in texts])
    return people[written], truths[written], [text for text in texts if text]


def _changes(told: list[dict[str, np.ndarray]], before: np.ndarray) -> np.ndarray:
    """By how much each finding changed, what is new and what has gone, and whether there was a study before."""
    findings = np.stack([np.asarray(one["truth_findings"], np.float32) for one in told])
    severity = findings * np.stack([one["truth_severity"] for one in told])
    known = (before >= 0)[:, None]
    came = np.clip(findings - findings[before], 0, 1)
    went = np.clip(findings[before] - findings, 0, 1)
    return np.concatenate(
        [known * part for part in (severity - severity[before], came, went, 1.0)], 1
    )


def _truth(truth: dict[str, np.ndarray]) -> np.ndarray:
    findings = np.asarray(truth["truth_findings"], np.float32)
    seen = np.asarray(truth["truth_visible_in"]) & 1
    sides = [findings * (np.asarray(truth["truth_side"]) == side) for side in _SIDES]
    return np.concatenate([findings, findings * truth["truth_severity"], seen, *sides])


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
