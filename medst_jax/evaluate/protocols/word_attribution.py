# SPDX-License-Identifier: Apache-2.0
"""Word attribution: which words of a report does the score of its image rest on?

A word's attribution is the fall of the score of image and report when the word is left out (occlusion,
Zeiler and Fergus, arXiv:1311.2901, applied to words). It is measured by how well it ranks the words of
sentences that affirm a finding above the other words of the report: the area under the curve within
each report, then the mean. Beside it the same report with the image of another patient, whose words
should matter less, and the position of a word alone: reports tell findings early.
"""

import dataclasses

import numpy as np
from sklearn.metrics import roc_auc_score

from medst_jax.data.records.timeline import other_patients
from medst_jax.evaluate.protocols.parts.report_texts import report_sentences
from medst_jax.evaluate.statistics.outcome import NotApplicable, Outcome, Part, WordAttribution
from medst_jax.evaluate.statistics.predictions import Predictions
from medst_jax.evaluate.subjects.context import EvaluationContext
from medst_jax.text.labeler import label_sentence

_SHOWN = 4


@dataclasses.dataclass(frozen=True)
class WordAttributionOptions:
    """Options of `word_attribution`.

    Attributes:
      dataset, split: studies with a frontal image and a report.
      limit: at most so many reports that affirm a finding and say something else, spread evenly.

    Raises:
      ValueError: fewer than one report.
    """

    dataset: str
    split: str = "test"
    limit: int = 200

    def __post_init__(self) -> None:
        if self.limit < 1:
            raise ValueError(f"limit is {self.limit}; at least one report is needed")


@dataclasses.dataclass(frozen=True)
class _Report:
    """words of a report; affirmed: bool [n], of sentences that affirm a finding."""

    row: int
    words: tuple[str, ...]
    affirmed: np.ndarray


def word_attribution(options: WordAttributionOptions, context: EvaluationContext) -> Outcome:
    """Attribute every report's score to its words.

    Raises:
      NotApplicable: the system scores no pairs, or no report has both kinds of words.
    """
    if not context.embedder.has_text_scores:
        raise NotApplicable("this system scores no texts of an image")
    reports = _reports(options, context)
    rows = np.array([report.row for report in reports], np.int64)
    studies = context.data.studies(options.dataset, options.split)
    patients = np.asarray(studies.index.patient)[rows]
    own = [_attribution(report, report.row, options, context) for report in reports]
    elsewhere = rows[other_patients(patients)]
    readings = {
        "own image": own,
        "other_patient": [
            _attribution(report, int(row), options, context)
            for report, row in zip(reports, elsewhere, strict=True)
        ],
        "position": [-np.arange(len(report.words), dtype=float) for report in reports],
    }
    parts = []
    for name, attributions in readings.items():
        areas = [
            roc_auc_score(report.affirmed, values)
            for report, values in zip(reports, attributions, strict=True)
        ]
        predictions = Predictions.measured(patients, np.array(areas)[:, None], ("word_auroc",))
        parts.append(Part(name, predictions, rows))
    shown = tuple(
        WordAttribution(report.row, report.words, values)
        for report, values in zip(reports[:_SHOWN], own[:_SHOWN], strict=True)
    )
    return Outcome(options.dataset, options.split, tuple(parts), attributions=shown)


def _reports(options: WordAttributionOptions, context: EvaluationContext) -> list[_Report]:
    studies = context.data.studies(options.dataset, options.split)
    candidates = np.flatnonzero(studies.index.has_frontal)
    # In an order that spreads over the split, until there are enough.
    order = np.random.default_rng(0).permutation(candidates)
    reports = []
    for row in order:
        words: list[str] = []
        affirmed: list[bool] = []
        for sentence in report_sentences(studies, int(row)):
            affirms = any(code == 1 for code in label_sentence(sentence).values())
            words += sentence.split()
            affirmed += [affirms] * len(sentence.split())
        if any(affirmed) and not all(affirmed):
            reports.append(_Report(int(row), tuple(words), np.asarray(affirmed)))
        if len(reports) == options.limit:
            break
    if not reports:
        raise NotApplicable(
            f"{options.dataset}/{options.split} has no report that affirms a finding and says "
            "something else as well"
        )
    return reports


def _attribution(
    report: _Report, row: int, options: WordAttributionOptions, context: EvaluationContext
) -> np.ndarray:
    """Fall of the score without each word, float64 [n]; the image is that of `row`."""
    words = report.words
    texts = [" ".join(words)]
    texts += [" ".join(words[:k] + words[k + 1 :]) for k in range(len(words))]
    (image,) = context.data.images(options.dataset, options.split, np.array([row]))
    scores = context.embedder.text_scores(image, texts)
    return (scores[0] - scores[1:]).astype(np.float64)
