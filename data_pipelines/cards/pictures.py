# SPDX-License-Identifier: Apache-2.0
"""Pictures of a data card: a grid of images, and one patient's studies side by side."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import cv2
import numpy as np

from medst_jax.data.images.pixels import decode
from medst_jax.data.records import schema
from medst_jax.data.records.studies import Studies
from medst_jax.data.records.study import StoredImage, Study
from medst_jax.pages.blocks import Block, Course, Paragraph, Picture, Strip

_GRID_IMAGES, _GRID_PIXELS = 12, 160
_STRIP_STUDIES, _STRIP_PIXELS = 6, 300


def grid(splits: Sequence[Studies]) -> list[Block]:
    """Images evenly spaced over the studies of all splits."""
    total = sum(len(studies) for studies in splits)
    pictures = []
    for studies in splits:
        count = min(len(studies), max(1, round(_GRID_IMAGES * len(studies) / total)))
        for row in np.linspace(0, len(studies) - 1, count).astype(int).tolist():
            study = studies[row]
            pictures += [_picture(image, _caption(study, image)) for image in study.images[:1]]
    return [Strip(pictures)] if pictures else []


def film_strip(splits: Sequence[Studies]) -> list[Block]:
    """The studies of one patient with their reports; nothing without a longer course."""
    chosen = _longest_course(splits)
    if chosen is None:
        return []
    studies, rows = chosen
    parts: list[list[Block]] = []
    for row in rows[:_STRIP_STUDIES]:
        study = studies[row]
        image = study.frontal() or next(iter(study.images), None)
        days = "" if np.isnan(study.study_days) else f", day {study.study_days:.0f}"
        positives = [
            label
            for label, code in zip(studies.labels, study.labels.tolist(), strict=True)
            if code == schema.POSITIVE
        ]
        part: list[Block] = [Paragraph(f"Study {study.study_index + 1}{days}")]
        if image:
            part.append(Strip([_picture(image, ", ".join(positives), _STRIP_PIXELS)]))
        part += [Paragraph(f"{name}: {text}") for name, text in study.sections]
        parts.append(part)
    return [Course(parts)]


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


def _picture(image: StoredImage, caption: str, longest: int = _GRID_PIXELS) -> Picture:
    pixels = decode(image.data)
    scale = longest / max(pixels.shape)
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    small = cv2.imencode(".jpg", cv2.resize(pixels, size, interpolation=how))[1]
    encoded = base64.b64encode(small.tobytes()).decode()
    source = f"data:image/jpeg;base64,{encoded}"
    return Picture(source, image.view, caption, width=size[0], height=size[1])
