# SPDX-License-Identifier: Apache-2.0
"""Pictures of a data card: a grid of images, and one patient's studies side by side."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import cv2
import numpy as np

from medst_jax.data.records import schema
from medst_jax.data.records.studies import Studies
from medst_jax.data.records.study import StoredImage, Study
from medst_jax.data_pipelines.cards.html_page import escape

_GRID_IMAGES, _GRID_PIXELS = 12, 160
_STRIP_STUDIES, _STRIP_PIXELS = 6, 300


def grid(splits: Sequence[Studies]) -> str:
    """HTML of images evenly spaced over the studies of all splits."""
    total = sum(len(studies) for studies in splits)
    tags = []
    for studies in splits:
        count = min(len(studies), max(1, round(_GRID_IMAGES * len(studies) / total)))
        for row in np.linspace(0, len(studies) - 1, count).astype(int).tolist():
            study = studies[row]
            tags += [_figure(image, _caption(study, image)) for image in study.images[:1]]
    return f'<div class="grid">{"".join(tags)}</div>' if tags else ""


def film_strip(splits: Sequence[Studies]) -> str:
    """HTML of the studies of one patient with their reports; nothing without a longer course."""
    chosen = _longest_course(splits)
    if chosen is None:
        return ""
    studies, rows = chosen
    parts = []
    for row in rows[:_STRIP_STUDIES]:
        study = studies[row]
        image = study.frontal() or next(iter(study.images), None)
        days = "" if np.isnan(study.study_days) else f", day {study.study_days:.0f}"
        report = "<br>".join(
            f"<b>{escape(name)}</b> {escape(text)}" for name, text in study.sections
        )
        positives = [
            label
            for label, code in zip(studies.labels, study.labels.tolist(), strict=True)
            if code == schema.POSITIVE
        ]
        parts.append(
            f'<div class="study"><h3>Study {study.study_index + 1}{days}</h3>'
            f"{_figure(image, ', '.join(positives), _STRIP_PIXELS) if image else ''}"
            f'<p class="report">{report}</p></div>'
        )
    return f'<div class="strip">{"".join(parts)}</div>'


def _longest_course(splits: Sequence[Studies]) -> tuple[Studies, list[int]] | None:
    """The first patient with at least four studies, else with the most, if more than one."""
    best: tuple[Studies, list[int]] | None = None
    for studies in splits:
        patient = studies.index.patient
        starts = np.flatnonzero(np.r_[True, patient[1:] != patient[:-1]])
        lengths = np.diff(np.r_[starts, len(patient)])
        if not len(lengths):
            continue
        enough = np.flatnonzero(lengths >= 4)
        first = int(enough[0]) if len(enough) else int(lengths.argmax())
        rows = list(range(int(starts[first]), int(starts[first] + lengths[first])))
        if len(rows) > (len(best[1]) if best else 1):
            best = (studies, rows)
        if len(enough):
            break
    return best


def _caption(study: Study, image: StoredImage) -> str:
    age = "" if np.isnan(study.age) else f", {study.age:.0f}"
    return f"{image.view}{age} {study.sex}".strip()


def _figure(image: StoredImage, caption: str, longest: int = _GRID_PIXELS) -> str:
    pixels = cv2.imdecode(np.frombuffer(image.data, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert pixels is not None, "a stored image decodes"
    scale = longest / max(pixels.shape)
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    small = cv2.imencode(".jpg", cv2.resize(pixels, size, interpolation=how))[1]
    encoded = base64.b64encode(small.tobytes()).decode()
    return (
        f'<figure><img alt="{escape(image.view)}" width="{size[0]}" height="{size[1]}" '
        f'src="data:image/jpeg;base64,{encoded}"><figcaption>{escape(caption)}</figcaption></figure>'
    )
