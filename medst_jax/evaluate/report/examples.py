# SPDX-License-Identifier: Apache-2.0
"""Example images and texts of a report, from data that may be shown."""

import html

import numpy as np

from medst_jax.data.records.studies import Studies
from medst_jax.evaluate.report.figures import image_data, overlay_data
from medst_jax.evaluate.statistics.outcome import Outcome, Part
from medst_jax.evaluate.subjects.context import EvaluationData

_RED, _BLUE = "214,60,40", "37,99,168"
_PER_CLASS, _MAX_CLASSES = 6, 6


def may_show(studies: Studies, include_restricted: bool) -> bool:
    """Whether pixels and texts of these studies may appear in a report."""
    return include_restricted or bool(studies.info.get("redistributable"))


def classified_images(outcome: Outcome, evaluation_data: EvaluationData) -> str:
    """For each class of the last part, the images with the highest scores, right and wrong."""
    part = outcome.parts[-1]
    if part.predictions.kind != "single" or not len(part.rows):  # texts have no picture
        return ""
    shown = []
    for c, name in enumerate(part.predictions.classes[:_MAX_CLASSES]):
        figures = "".join(
            _classified(outcome, part, c, at, evaluation_data) for at in _top(part, c)
        )
        shown.append(f'<h3>most like {html.escape(name)}</h3><div class="strip">{figures}</div>')
    return "".join(shown)


def retrieved_texts(outcome: Outcome, evaluation_data: EvaluationData) -> str:
    """Query images, their own report and the nearest ones."""
    retrieved = outcome.retrieved
    if retrieved is None:
        return ""
    shown = ["<h3>images and their nearest reports</h3>"]
    for row, (own, *nearest), hits in zip(
        retrieved.rows, retrieved.texts, retrieved.hits, strict=True
    ):
        items = "".join(
            f'<li class="hit">{html.escape(text)}</li>' if hit else f"<li>{html.escape(text)}</li>"
            for text, hit in zip(nearest, hits, strict=True)
        )
        shown.append(
            f'<div class="query">{_image(outcome, int(row), evaluation_data)}'
            f"<div><b>its report:</b> {html.escape(own)}<ol>{items}</ol></div></div>"
        )
    return "".join(shown)


def heat_maps(outcome: Outcome, evaluation_data: EvaluationData) -> str:
    """For each class an image, where the class is seen in it, and where it is said to be."""
    mapped = outcome.localization
    if mapped is None:
        return ""
    images = evaluation_data.images(outcome.dataset, outcome.split, mapped.rows)
    shown = [f'<h3>{html.escape(mapped.title)}</h3><div class="strip">']
    boxes = [None] * len(mapped.rows) if mapped.boxes is None else mapped.boxes
    for name, image, heat, box in zip(mapped.classes, images, mapped.maps, boxes, strict=True):
        shown.append(
            f'<figure><img alt="heat map" src="{overlay_data(image, heat, box)}">'
            f"<figcaption>{html.escape(name)}</figcaption></figure>"
        )
    return "".join(shown) + "</div>"


def attributed_words(outcome: Outcome, evaluation_data: EvaluationData) -> str:
    """Images beside their reports: red words bear the score, blue ones stand against it."""
    shown = []
    for one in outcome.attributions:
        highest = float(np.abs(one.values).max()) or 1.0
        words = " ".join(
            f'<mark style="background:rgba({_RED if value > 0 else _BLUE},'
            f'{abs(float(value)) / highest:.2f})">{html.escape(word)}</mark>'
            for word, value in zip(one.words, one.values, strict=True)
        )
        picture = _image(outcome, one.row, evaluation_data)
        shown.append(f'<div class="query">{picture}<p class="words">{words}</p></div>')
    return "<h3>what the score rests on, word by word</h3>" + "".join(shown) if shown else ""


def _top(part: Part, column: int) -> np.ndarray:
    return np.argsort(-part.predictions.scores[0, :, column], kind="stable")[:_PER_CLASS]


def _classified(
    outcome: Outcome, part: Part, column: int, at: int, evaluation_data: EvaluationData
) -> str:
    truth = int(part.predictions.targets[at])
    verdict = "right" if truth == column else "wrong"
    picture = _image(outcome, int(part.rows[at]), evaluation_data)
    name = html.escape(part.predictions.classes[truth])
    return f'<figure class="{verdict}">{picture}<figcaption>{name}</figcaption></figure>'


def _image(outcome: Outcome, row: int, evaluation_data: EvaluationData) -> str:
    image = evaluation_data.images(outcome.dataset, outcome.split, np.asarray([row]))[0]
    return f'<img alt="chest radiograph" src="{image_data(image)}">'
