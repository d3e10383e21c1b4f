# SPDX-License-Identifier: Apache-2.0
"""Example images and texts of a report, from data that may be shown."""

import numpy as np

from medst_jax.data.records.studies import Studies
from medst_jax.evaluate.report.figures import image_data, overlay_data
from medst_jax.evaluate.statistics.outcome import Outcome, Part
from medst_jax.evaluate.subjects.context import EvaluationData
from medst_jax.pages.blocks import Beside, Block, Items, Paragraph, Picture, Section, Strip, Words

_PER_CLASS, _MAX_CLASSES = 6, 6


def may_show(studies: Studies, include_restricted: bool) -> bool:
    """Whether pixels and texts of these studies may appear in a report."""
    return include_restricted or bool(studies.info.get("redistributable"))


def classified_images(outcome: Outcome, evaluation_data: EvaluationData) -> list[Block]:
    """For each class of the last part, the images with the highest scores, right and wrong."""
    part = outcome.parts[-1]
    if part.predictions.kind != "single" or not len(part.rows):  # texts have no picture
        return []
    return [
        Section(
            f"most like {name}",
            [Strip([_classified(outcome, part, c, at, evaluation_data) for at in _top(part, c)])],
            level=3,
        )
        for c, name in enumerate(part.predictions.classes[:_MAX_CLASSES])
    ]


def retrieved_texts(outcome: Outcome, evaluation_data: EvaluationData) -> list[Block]:
    """Query images, their own report and the nearest ones."""
    retrieved = outcome.retrieved
    if retrieved is None:
        return []
    shown: list[Block] = []
    for row, (own, *nearest), hits in zip(
        retrieved.rows, retrieved.texts, retrieved.hits, strict=True
    ):
        marked = [k for k, hit in enumerate(hits) if hit]
        texts = [Paragraph(f"Its report: {own}"), Items(nearest, marked, ordered=True)]
        shown.append(Beside(_image(outcome, int(row), evaluation_data), texts))
    return [Section("images and their nearest reports", shown, level=3)]


def heat_maps(outcome: Outcome, evaluation_data: EvaluationData) -> list[Block]:
    """For each class an image, where the class is seen in it, and where it is said to be."""
    mapped = outcome.localization
    if mapped is None:
        return []
    images = evaluation_data.images(outcome.dataset, outcome.split, mapped.rows)
    boxes = [None] * len(mapped.rows) if mapped.boxes is None else mapped.boxes
    pictures = [
        Picture(overlay_data(image, heat, box), "heat map", name)
        for name, image, heat, box in zip(mapped.classes, images, mapped.maps, boxes, strict=True)
    ]
    return [Section(mapped.title, [Strip(pictures)], level=3)]


def attributed_words(outcome: Outcome, evaluation_data: EvaluationData) -> list[Block]:
    """Images beside their reports: red words bear the score, blue ones stand against it."""
    shown: list[Block] = []
    for one in outcome.attributions:
        highest = float(np.abs(one.values).max()) or 1.0
        shares = [float(value) / highest for value in one.values]
        words = [
            (word, max(s, 0.0), max(-s, 0.0)) for word, s in zip(one.words, shares, strict=True)
        ]
        shown.append(Beside(_image(outcome, one.row, evaluation_data), [Words(words)]))
    return [Section("what the score rests on, word by word", shown, level=3)] if shown else []


def _top(part: Part, column: int) -> np.ndarray:
    return np.argsort(-part.predictions.scores[0, :, column], kind="stable")[:_PER_CLASS]


def _classified(
    outcome: Outcome, part: Part, column: int, at: int, evaluation_data: EvaluationData
) -> Picture:
    truth = int(part.predictions.targets[at])
    verdict = "right" if truth == column else "wrong"
    name = part.predictions.classes[truth]
    return _image(outcome, int(part.rows[at]), evaluation_data, name, verdict)


def _image(
    outcome: Outcome, row: int, evaluation_data: EvaluationData, caption: str = "", kind: str = ""
) -> Picture:
    image = evaluation_data.images(outcome.dataset, outcome.split, np.asarray([row]))[0]
    return Picture(image_data(image), "chest radiograph", caption, kind)
