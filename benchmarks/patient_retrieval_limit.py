# SPDX-License-Identifier: Apache-2.0
"""How well one who knows the truth tells which of a patient's reports belongs to which study.

    python benchmarks/patient_retrieval_limit.py --data_dir=data --dataset=simulated_cxr_e1

Forward mapping (Med-ST) trains exactly this, so it bounds what a temporal term can teach on the
simulated cohort. The reader sees no image: it is given each study's true findings, severities, sides
and what the frontal image shows, and learns on half of the patients which words of a report go with
them (a logistic regression for each word). On the other half a text's score with a study is its log
likelihood given the study's truth, less its mean over studies. Of a finding on both sides it knows the
larger severity only. It knows no synonyms and reads
words one by one, so that a better reader may exist. Takes a minute of one core; prints JSON.
"""

import json
import re
import sys
from collections import Counter
from pathlib import Path

import numpy as np
from absl import app, flags
from sklearn.linear_model import LogisticRegression

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from medst_jax.data.studies import Studies, open_studies
from medst_jax.data.timeline import patient_counts
from medst_jax.evaluate.measure import Measurement, measure_one
from medst_jax.evaluate.patient_retrieval import within
from medst_jax.evaluate.predictions import Predictions
from medst_jax.evaluate.retrieval import report_sentences, same_text

_DATA = flags.DEFINE_string("data_dir", "data", "Prepared simulated cohort.")
_DATASET = flags.DEFINE_string("dataset", "simulated_cxr_e1", "Of which site.")
_SPLIT = flags.DEFINE_string("split", "test", "With natural histories.")
_SECTIONS = flags.DEFINE_list("sections", ["impression"], "Of the reports.")
_STUDIES = flags.DEFINE_integer("studies", 4000, "At most so many.", lower_bound=100)
_RARE = 20  # words in fewer texts are left out
_FLOOR = 1e-3  # of a probability


def readable(
    studies: Studies, sections: tuple[str, ...], limit: int
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Patients int [n], truths [n, F] and texts of the studies that have an image and a text."""
    patients, truths, texts = [], [], []
    for row in np.flatnonzero(studies.index.has_frontal)[:limit]:
        sentences = report_sentences(studies, int(row), sections)
        if sentences:
            patients.append(int(studies.index.patient[row]))
            texts.append(" ".join(sentences))
            truths.append(_truth(studies[int(row)].truth))
    return np.array(patients), np.stack(truths), texts


def _truth(truth: dict[str, np.ndarray]) -> np.ndarray:
    found = np.asarray(truth["truth_findings"], np.float32)
    seen = np.asarray(truth["truth_visible_in"]) & 1
    sides = [found * (np.asarray(truth["truth_side"]) == side) for side in range(1, 5)]
    return np.concatenate([found, found * truth["truth_severity"], seen, *sides])


def word_table(texts: list[str]) -> np.ndarray:
    """Which of the common words each text has, bool [n, W]."""
    said = [set(re.findall(r"[a-z]+", text.lower())) for text in texts]
    counts = Counter(word for words in said for word in words)
    common = sorted(w for w, n in counts.items() if _RARE <= n <= len(texts) - _RARE)
    return np.array([[word in words for word in common] for words in said])


def likelihoods(truths: np.ndarray, words: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Log likelihood [m, m] of each held-out text (column) given each held-out truth (row)."""
    log_odds, log_absent, spoken = [], [], []
    for said in words.T:
        if len(np.unique(said[train])) < 2:
            continue
        model = LogisticRegression(C=0.3, max_iter=300).fit(truths[train], said[train])
        p = np.clip(model.predict_proba(truths[~train])[:, 1], _FLOOR, 1 - _FLOOR)
        log_odds.append(np.log(p / (1 - p)))
        log_absent.append(np.log(1 - p))
        spoken.append(said[~train])
    matrix = np.stack(log_odds, 1) @ np.stack(spoken).astype(float)
    return matrix + np.sum(log_absent, axis=0)[:, None]


def judged(scores: np.ndarray, patients: np.ndarray, texts: list[str]) -> dict[str, Measurement]:
    """Pairwise accuracy within patients, and against others, with 95% intervals over patients."""
    ends = np.cumsum(patient_counts(patients))
    found = [
        within(scores[a:b, a:b], same_text(texts[a:b]))
        for a, b in zip(np.append(0, ends), ends, strict=False)
    ]
    own = np.diagonal(scores)[:, None]
    strange = (patients[:, None] != patients[None, :]) & ~same_text(texts)
    accuracy = {
        "image to text": np.concatenate([pair[0][:, 0] for pair in found]),
        "text to image": np.concatenate([pair[1][:, 0] for pair in found]),
        "image to text, other patients": (strange & (own > scores)).sum(1) / strange.sum(1),
    }
    return {name: _interval(values, patients) for name, values in accuracy.items()}


def _interval(values: np.ndarray, patients: np.ndarray) -> Measurement:
    known = ~np.isnan(values)
    numbers = Predictions.measured(patients[known], values[known, None], ("accuracy",))
    return measure_one(numbers, "accuracy")


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"unknown arguments: {argv[1:]}")
    studies = open_studies(_DATA.value, _DATASET.value, _SPLIT.value, truth=True)
    patients, truths, texts = readable(studies, tuple(_SECTIONS.value), _STUDIES.value)
    train = patients < np.median(patients)
    scores = likelihoods(truths, word_table(texts), train)
    scores -= scores.mean(0)  # what a text says of any study
    held = [text for text, used in zip(texts, train, strict=True) if not used]
    found = judged(scores, patients[~train], held)
    print(json.dumps({name: value._asdict() for name, value in found.items()}, indent=1))


if __name__ == "__main__":
    app.run(main)
