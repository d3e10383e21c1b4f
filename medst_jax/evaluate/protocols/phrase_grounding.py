# SPDX-License-Identifier: Apache-2.0
"""Phrase grounding: does a sentence light up the place that it is about?

The cosine of each patch with the sentence, or the score of the system's critic, smoothed and
enlarged (arXiv:2204.09817), against the union of the sentence's boxes. Signed contrast-to-noise
ratio first, its absolute value (the published number) beside it; overlap at the published
thresholds, and without a threshold; whether the centre of the best region, before smoothing,
lies in a box.
Numbers are means within a finding, then over findings. Baselines: the mean training box of the
same finding, side and zone; the same sentence on another patient's image; the centre. The
"atypical" parts hold the phrases that the mean training box misses.
"""

import dataclasses

import numpy as np

from medst_jax.data.images.pixels import decode
from medst_jax.data.records.annotations import Phrase
from medst_jax.data.records.timeline import other_patients
from medst_jax.evaluate.protocols.parts import similarity_maps as maps
from medst_jax.evaluate.protocols.parts.location_baseline import (
    LocationBaseline,
    Place,
    centre_map,
    place,
)
from medst_jax.evaluate.statistics.outcome import LocalizationMaps, NotApplicable, Outcome, Part
from medst_jax.evaluate.statistics.predictions import Predictions
from medst_jax.evaluate.subjects.context import EvaluationContext

_BLOCK = 256  # phrases whose images are held at a time


@dataclasses.dataclass(frozen=True)
class PhraseGroundingOptions:
    """Options of `phrase_grounding`.

    Attributes:
      dataset, split: with `phrases`; those about another image than the first frontal are left
        out.
      train_dataset, train_split: phrases whose boxes make the location baseline.
      atypical: a phrase is atypical when the location baseline's `iou_same_area` is below this.
      limit: at most so many phrases, spread evenly; 0 for all.
    """

    dataset: str
    train_dataset: str
    split: str = "test"
    train_split: str = "train"
    atypical: float = 0.1
    limit: int = 0


@dataclasses.dataclass(frozen=True)
class _Target:
    """A phrase in the encoder's square: box and inside are bool [size, size]."""

    row: int
    text: str
    where: Place
    box: np.ndarray
    inside: np.ndarray


def phrase_grounding(options: PhraseGroundingOptions, context: EvaluationContext) -> Outcome:
    """Measure the map of every phrase, and the baselines' maps.

    Raises:
      NotApplicable: the system relates no sentence to regions, or no phrase serves.
    """
    if not context.embedder.has_maps:
        raise NotApplicable("this system relates no sentence to the regions of an image")
    targets = _targets(context, options.dataset, options.split, options.limit)
    if not targets:
        raise NotApplicable(f"{options.dataset}/{options.split} has no phrase on a frontal image")
    known = _targets(context, options.train_dataset, options.train_split, 0)
    baseline = LocationBaseline(((t.where, t.box) for t in known), context.embedder.size)
    studies = context.data.studies(options.dataset, options.split)
    patients = np.asarray(studies.index.patient)[[t.row for t in targets]]
    findings = np.unique([t.where[0] for t in targets], return_inverse=True)[1]
    values = _measured(context, options, targets, patients, baseline)
    atypical = values["location"][:, maps.METRICS.index("iou_same_area")] < options.atypical
    rows = np.array([t.row for t in targets], np.int64)
    parts = []
    for prefix, keep in (("", np.ones(len(rows), bool)), ("atypical/", atypical)):
        for name, numbers in values.items():
            if keep.any():
                predictions = Predictions.measured(
                    patients[keep], numbers[keep], maps.METRICS, findings[keep]
                )
                parts.append(Part(f"{prefix}{name}", predictions, rows[keep]))
    return Outcome(
        options.dataset,
        options.split,
        tuple(parts),
        localization=_mapped(
            context, options, targets, values["map"][:, maps.METRICS.index("signed_cnr")]
        ),
    )


def _mapped(
    context: EvaluationContext,
    options: PhraseGroundingOptions,
    targets: list[_Target],
    contrast: np.ndarray,
) -> LocalizationMaps:
    """For each finding the phrase of middling contrast: neither the best map nor the worst."""
    chosen = []
    for finding in dict.fromkeys(t.where[0] for t in targets):
        members = [k for k, t in enumerate(targets) if t.where[0] == finding]
        members.sort(key=lambda k: np.nan_to_num(contrast[k], nan=-np.inf))
        chosen.append(targets[members[len(members) // 2]])
    rows = np.array([t.row for t in chosen], np.int64)
    size = context.embedder.size
    scores = _scores(context, options, rows, [t.text for t in chosen])
    drawn = [
        np.where(t.inside, maps.smoothed(mine, size), np.nan)
        for t, mine in zip(chosen, scores, strict=True)
    ]
    return LocalizationMaps(
        "each finding's phrase of middling contrast: its map, and its box",
        rows,
        tuple(t.where[0] for t in chosen),
        np.stack(drawn),
        np.stack([t.box for t in chosen]),
    )


def _targets(context: EvaluationContext, dataset: str, split: str, limit: int) -> list[_Target]:
    studies = context.data.studies(dataset, split)
    phrases = context.data.annotations(dataset, Phrase, split)
    step = max(1, len(phrases) // limit) if limit else 1
    size, targets = context.embedder.size, []
    for phrase in phrases[::step]:
        study = studies[phrase.row]
        image, frontal = study.images[phrase.image], study.frontal()
        if frontal is None or image.image_id != frontal.image_id:
            continue
        height, width = decode(image.data).shape
        box = context.embedder.box(phrase.boxes, height, width)
        frame = context.embedder.box([0.0, 0.0, width, height], height, width)
        targets.append(
            _Target(
                phrase.row,
                phrase.text,
                place(phrase.finding, phrase.text),
                maps.box_mask(box, size),
                maps.box_mask(frame, size),
            )
        )
    return targets


def _measured(
    context: EvaluationContext,
    options: PhraseGroundingOptions,
    targets: list[_Target],
    patients: np.ndarray,
    baseline: LocationBaseline,
) -> dict[str, np.ndarray]:
    """Numbers float32 [n, metrics] by kind of map."""
    rows = np.array([t.row for t in targets], np.int64)
    other = other_patients(patients)
    size = context.embedder.size
    centre = centre_map(size)
    values: dict[str, list[list[float]]] = {}
    for start in range(0, len(targets), _BLOCK):
        block = np.arange(start, min(start + _BLOCK, len(targets)))
        own = _scores(context, options, rows[block], [targets[k].text for k in block])
        moved = _scores(context, options, rows[other[block]], [targets[k].text for k in block])
        for k, mine, strange in zip(block, own, moved, strict=True):
            known, target = baseline(targets[k].where), targets[k]
            for name, smooth, sharp in (
                ("map", maps.smoothed(mine, size), maps.enlarged(mine, size)),
                ("location", known, known),
                ("other_patient", maps.smoothed(strange, size), maps.enlarged(strange, size)),
                ("centre", centre, centre),
            ):
                values.setdefault(name, []).append(
                    maps.map_numbers(smooth, sharp, target.box, target.inside)
                )
    return {name: np.asarray(numbers, np.float32) for name, numbers in values.items()}


def _scores(
    context: EvaluationContext, options: PhraseGroundingOptions, rows: np.ndarray, texts: list[str]
) -> np.ndarray:
    unique, member = np.unique(rows, return_inverse=True)
    images = context.data.images(options.dataset, options.split, unique)
    return context.embedder.maps(images[member], texts)
