# SPDX-License-Identifier: Apache-2.0
"""Phrase grounding: does a sentence light up the place that it is about?

The cosine of each patch with the sentence, or the score of the system's critic, smoothed and
enlarged (arXiv:2204.09817), against the union of the sentence's boxes. Signed contrast-to-noise
ratio first, its absolute value (the published number) beside it; overlap at the published
thresholds, and without a threshold; whether the centre of the best region, before smoothing,
lies in a box.
Numbers are means within a finding, then over findings; those of the "phrases" parts are means over
phrases, so that common findings weigh more. Baselines: the mean training box of the same finding, side
and zone; the same sentence on another patient's image; the centre. The "atypical" parts hold the
phrases that the mean training box misses. Training phrases of the test split itself serve all
patients but their own.

The published numbers are over all phrases of MS-CXR: split "all", `every_image`. Those of 2022
(arXiv:2204.09817) and of 2023 (arXiv:2301.04558) differ for the same model and are no one protocol's.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from medst_jax.data.images.pixels import image_shape
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
from medst_jax.options import before

_BLOCK = 256  # phrases whose images are held at a time


@dataclasses.dataclass(frozen=True)
class PhraseGroundingOptions:
    """Options of `phrase_grounding`.

    Attributes:
      dataset, split: with `phrases`; "all" for every split.
      train_dataset, train_split: phrases whose boxes make the location baseline.
      atypical: a phrase is atypical when the location baseline's `iou_same_area` is below this.
      limit: at most so many phrases, spread evenly; 0 for all.
      every_image: read the image that a phrase is about; else phrases about another image than a
        study's first frontal are left out.
    """

    dataset: str
    train_dataset: str
    split: str = "test"
    train_split: str = "train"
    atypical: float = 0.1
    limit: int = 0
    every_image: bool = dataclasses.field(default=False, metadata=before(False))


@dataclasses.dataclass(frozen=True)
class _Target:
    """A phrase in the encoder's square: box and inside are bool [size, size].

    image: number of its image in the study; frontal: whether that is the first frontal one.
    """

    row: int
    image: int
    frontal: bool
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
    targets = _targets(context, options, options.dataset, options.split, options.limit)
    if not targets:
        raise NotApplicable(f"{options.dataset}/{options.split} has no phrase on a frontal image")
    known = _targets(context, options, options.train_dataset, options.train_split, 0)
    baseline = LocationBaseline(((t.where, t.box) for t in known), context.embedder.size)
    studies = context.data.studies(options.dataset, options.split)
    of_study = np.asarray(studies.index.patient)
    patients = of_study[[t.row for t in targets]]
    own: dict[int, list[tuple[Place, np.ndarray]]] = {}
    if (options.train_dataset, options.train_split) == (options.dataset, options.split):
        for t in known:
            own.setdefault(int(of_study[t.row]), []).append((t.where, t.box))
    findings = np.unique([t.where[0] for t in targets], return_inverse=True)[1]

    def usual(k: int) -> np.ndarray:
        return baseline.without(own.get(int(patients[k]), ()))(targets[k].where)

    values = _measured(context, options, targets, patients, usual)
    atypical = values["location"][:, maps.METRICS.index("iou_same_area")] < options.atypical
    rows = np.array([t.row for t in targets], np.int64)
    parts = []
    everything = np.ones(len(rows), bool)
    for prefix, keep, groups in (
        ("", everything, findings),
        ("phrases/", everything, np.zeros_like(findings)),
        ("atypical/", atypical, findings),
    ):
        for name, numbers in values.items():
            if keep.any():
                predictions = Predictions.measured(
                    patients[keep], numbers[keep], maps.METRICS, groups[keep]
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
) -> LocalizationMaps | None:
    """For each finding the phrase of middling contrast: neither the best map nor the worst."""
    chosen = []
    # The report draws a study's first frontal image.
    shown = [k for k, t in enumerate(targets) if t.frontal]
    for finding in dict.fromkeys(targets[k].where[0] for k in shown):
        members = [k for k in shown if targets[k].where[0] == finding]
        members.sort(key=lambda k: np.nan_to_num(contrast[k], nan=-np.inf))
        chosen.append(targets[members[len(members) // 2]])
    if not chosen:
        return None
    rows = np.array([t.row for t in chosen], np.int64)
    size, window = context.embedder.size, context.embedder.window
    scores = _scores(context, options, chosen, [t.text for t in chosen])
    drawn = [
        np.where(t.inside, maps.smoothed(mine, size, window), np.nan)
        for t, mine in zip(chosen, scores, strict=True)
    ]
    return LocalizationMaps(
        "each finding's phrase of middling contrast: its map, and its box",
        rows,
        tuple(t.where[0] for t in chosen),
        np.stack(drawn),
        np.stack([t.box for t in chosen]),
    )


def _targets(
    context: EvaluationContext,
    options: PhraseGroundingOptions,
    dataset: str,
    split: str,
    limit: int,
) -> list[_Target]:
    studies = context.data.studies(dataset, split)
    phrases = context.data.annotations(dataset, Phrase, split)
    step = max(1, len(phrases) // limit) if limit else 1
    size, targets = context.embedder.size, []
    for phrase in phrases[::step]:
        study = studies[phrase.row]
        image, frontal = study.images[phrase.image], study.frontal()
        first = frontal is not None and image.image_id == frontal.image_id
        if not first and not options.every_image:
            continue
        height, width = image_shape(image.data)
        box = context.embedder.box(phrase.boxes, height, width)
        frame = context.embedder.box([0.0, 0.0, width, height], height, width)
        targets.append(
            _Target(
                phrase.row,
                phrase.image,
                first,
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
    usual: Callable[[int], np.ndarray],
) -> dict[str, np.ndarray]:
    """Numbers float32 [n, metrics] by kind of map; `usual` gives the location baseline's of a target."""
    other = other_patients(patients)
    square = context.embedder.size, context.embedder.window
    centre = centre_map(square[0])
    values: dict[str, list[list[float]]] = {}
    for start in range(0, len(targets), _BLOCK):
        block = np.arange(start, min(start + _BLOCK, len(targets)))
        texts = [targets[k].text for k in block]
        own = _scores(context, options, [targets[k] for k in block], texts)
        moved = _scores(context, options, [targets[k] for k in other[block]], texts)
        for k, mine, strange in zip(block, own, moved, strict=True):
            known, target = usual(int(k)), targets[k]
            for name, smooth, sharp in (
                ("map", maps.smoothed(mine, *square), maps.enlarged(mine, *square)),
                ("location", known, known),
                ("other_patient", maps.smoothed(strange, *square), maps.enlarged(strange, *square)),
                ("centre", centre, centre),
            ):
                values.setdefault(name, []).append(
                    maps.map_numbers(smooth, sharp, target.box, target.inside)
                )
    return {name: np.asarray(numbers, np.float32) for name, numbers in values.items()}


def _scores(
    context: EvaluationContext,
    options: PhraseGroundingOptions,
    targets: list[_Target],
    texts: list[str],
) -> np.ndarray:
    """Scores [n, P] of each target's image with its text; an image is read once."""
    places = np.array([(t.row, t.image) for t in targets])
    unique, member = np.unique(places, axis=0, return_inverse=True)
    if options.every_image:
        images = context.data.numbered_images(options.dataset, options.split, *unique.T)
    else:
        images = context.data.images(options.dataset, options.split, unique[:, 0])
    return context.embedder.maps(images[member.ravel()], texts)
