# SPDX-License-Identifier: Apache-2.0
"""Phrases, image pairs and texts of the cohort, read off its studies.

A phrase is a sentence that affirms a finding which can be seen, with the boxes and masks of the
truth. An image pair is two successive studies of a patient of which at least one finding is
compared: by the report at site M, by the truth at the sites for evaluation.
"""

from collections.abc import Iterator

import numpy as np

from medst_jax.data.records import schema
from medst_jax.data.records.annotations import ImagePair, Phrase, Text
from medst_jax.data.records.studies import Studies
from medst_jax.data.records.study import Sentence, Study
from medst_jax.data_pipelines.simulated_cxr.findings.findings import FINDINGS

# The parent says no more than its kinds; each device has a place of its own.
_UNPLACED = ("No Finding", "Lung Opacity", "Support Devices")
_DRAWN_AS = {"Pneumonia": "Consolidation"}


def phrases(studies: Studies) -> Iterator[Phrase]:
    """Yields the phrases of a split, study by study."""
    for row in range(len(studies)):
        study = studies[row]
        for number, sentence in enumerate(study.sentences):
            finding = _affirmed(sentence, studies.labels)
            if finding is not None:
                yield from _places(study, row, study.sentence_text(number), finding)


def _affirmed(sentence: Sentence, labels: tuple[str, ...]) -> str | None:
    """The finding a sentence affirms; of a pneumonia that is a consolidation, the pneumonia."""
    named = [
        label
        for label, code in zip(labels, sentence.labels.tolist(), strict=True)
        if code == schema.POSITIVE and label not in _UNPLACED
    ]
    if "Pneumonia" in named:
        return "Pneumonia"
    return named[0] if len(named) == 1 else None


def _places(study: Study, row: int, text: str, finding: str) -> Iterator[Phrase]:
    boxes = np.asarray(study.truth["truth_boxes"]).reshape(-1, 6)
    drawn = FINDINGS.index(_DRAWN_AS.get(finding, finding))
    for image in range(len(study.images)):
        indices = np.flatnonzero((boxes[:, 0] == image) & (boxes[:, 1] == drawn))
        if len(indices):
            places = boxes[indices, 2:].astype(np.float32)
            yield Phrase(row, image, text, finding, places, indices.astype(np.int32))


def image_pairs(studies: Studies, quality: str) -> Iterator[ImagePair]:
    """Yields the pairs of a split; `quality` says who compared them."""
    for row in range(1, len(studies)):
        if studies.index.patient[row] != studies.index.patient[row - 1]:
            continue
        study = studies[row]
        images = [_frontal(study), _frontal(studies[row - 1])]
        if (study.progression != schema.BLANK).any() and None not in images:
            current, prior = (image for image in images if image is not None)
            yield ImagePair(row, row - 1, current, prior, study.progression, quality)


def _frontal(study: Study) -> int | None:
    views = [image.view for image in study.images]
    return next((k for k, view in enumerate(views) if view in schema.FRONTAL_VIEWS), None)


def texts(studies: Studies) -> Iterator[Text]:
    """Yields the reports of a split, as one text each with headers."""
    for row in range(len(studies)):
        study = studies[row]
        if study.sections:
            report = "\n".join(f"{name}: {text}" for name, text in study.sections)
            yield Text(report, study.language)
