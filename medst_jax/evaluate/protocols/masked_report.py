# SPDX-License-Identifier: Apache-2.0
"""Masked report: do hidden words of a report become likelier when its own image is seen?

For systems that restore reports with the help of an image (MRM, arXiv:2301.13155). The cross-entropy of the
same hidden tokens is taken twice: with the image of the report, and with that of another patient of
the split. The gain is the second less the first, in nats per token: 0 says that the image tells nothing
that the rest of the report does not.
"""

import dataclasses

import numpy as np

from medst_jax.data.records.timeline import other_patients
from medst_jax.evaluate.protocols.parts.report_texts import report_sentences
from medst_jax.evaluate.statistics.outcome import NotApplicable, Outcome, Part
from medst_jax.evaluate.statistics.predictions import Predictions
from medst_jax.evaluate.subjects.context import EvaluationContext

METRICS = ("image_gain", "own_image", "other_patient")


@dataclasses.dataclass(frozen=True)
class MaskedReportOptions:
    """Options of `masked_report`.

    Attributes:
      dataset, split: studies with a frontal image and a report.
      limit: at most so many of them, drawn at random.

    Raises:
      ValueError: fewer than two studies.
    """

    dataset: str
    split: str = "test"
    limit: int = 1000

    def __post_init__(self) -> None:
        if self.limit < 2:
            raise ValueError(
                f"limit is {self.limit}; two studies are the least: one is the other's"
            )


def masked_report(options: MaskedReportOptions, context: EvaluationContext) -> Outcome:
    """Measure each report with its own image and with another patient's.

    Raises:
      NotApplicable: the system restores no reports, or fewer than two patients have both.
    """
    if not context.embedder.restores_reports:
        raise NotApplicable("this system restores no hidden words of reports")
    studies = context.data.studies(options.dataset, options.split)
    candidates = np.flatnonzero(studies.index.has_frontal)
    rows, reports = [], []
    for row in np.random.default_rng(0).permutation(candidates):
        report = " ".join(report_sentences(studies, int(row)))
        if report:
            rows.append(row)
            reports.append(report)
        if len(rows) == options.limit:
            break
    patients = np.asarray(studies.index.patient)[np.array(rows, np.int64)]
    if len(np.unique(patients)) < 2:
        raise NotApplicable(
            f"{options.dataset}/{options.split} has no two patients with an image and a report"
        )
    chosen = np.array(rows, np.int64)
    images = context.data.images(options.dataset, options.split, chosen)
    own, other = (
        context.embedder.masked_report_errors(shown, reports)
        for shown in (images, images[other_patients(patients)])
    )
    numbers = np.stack([other - own, own, other], axis=1)
    part = Part("", Predictions.measured(patients, numbers, METRICS), chosen)
    return Outcome(options.dataset, options.split, (part,))
