# SPDX-License-Identifier: Apache-2.0
"""Dense prediction: a head on frozen feature maps says which pixels belong to a finding.

The setting of the field's segmentation tables (GLoRIA, MGCA, BioViL-T, Med-ST): the image encoder
stays as it is, a linear classifier of its cells or the way up of a U-Net is trained on masks or
boxes of one split and tested on another, with no patient on both sides. Dice at probability 0.5 and
average precision of the pixels, means over the images that have a mask; beside them the mean
training mask, which sees no image and whose threshold is chosen on the training images. In the part
"all images" those without the finding count as well, right when nothing is marked in them, and
`mean_dice` is that of their pixels together, as BenchX prints it.
"""

import dataclasses
import functools

import numpy as np
from tqdm import tqdm

from medst_jax.evaluate.fitting.dense_training import DenseOptions, pixel_probabilities
from medst_jax.evaluate.fitting.map_heads import HEADS
from medst_jax.evaluate.protocols.parts.finding_masks import FindingMasks, marked_images
from medst_jax.evaluate.protocols.parts.localization_examples import worst_to_best
from medst_jax.evaluate.statistics.outcome import DerivedMetric, NotApplicable, Outcome, Part
from medst_jax.evaluate.statistics.pixel_metrics import (
    best_threshold,
    dice,
    mean_dice,
    pixel_counts,
    pixel_precision,
)
from medst_jax.evaluate.statistics.predictions import Predictions
from medst_jax.evaluate.subjects.context import EvaluationContext
from medst_jax.evaluate.subjects.shots import shuffled
from medst_jax.evaluate.subjects.tasks import Task, TaskOptions
from medst_jax.evaluate.subjects.train_and_test import train_and_test

METRICS = ("dice", "average_precision")


@dataclasses.dataclass(frozen=True)
class DensePredictionOptions:
    """Options of `dense_prediction`.

    Attributes:
      task: the test images, of kind "multi" and with one class. Images with the finding and no
        mask (nobody marked it, or it cannot be seen) are left out.
      train: the training images; None takes them from the test split itself, by patient.
      test_fraction: of the patients, where `train` is None.
      heads: any of "linear" and "unet".
      fractions: of the training images, each in (0, 1].
      training: of the heads.

    Raises:
      ValueError: several classes, an unknown head or a fraction outside (0, 1].
    """

    task: TaskOptions
    train: TaskOptions | None = None
    test_fraction: float = 0.2
    heads: tuple[str, ...] = ("linear", "unet")
    fractions: tuple[float, ...] = (1.0,)
    training: DenseOptions = dataclasses.field(default_factory=DenseOptions)

    def __post_init__(self) -> None:
        if len(self.task.classes) != 1 or self.task.kind != "multi":
            raise ValueError(
                f"dense prediction is of one finding: its task has classes {self.task.classes} and "
                f"kind {self.task.kind!r}; name one class, of kind 'multi'"
            )
        if unknown := set(self.heads) - set(HEADS):
            raise ValueError(f"heads are {self.heads}; {sorted(unknown)} not in {list(HEADS)}")
        if not all(0 < fraction <= 1 for fraction in self.fractions):
            raise ValueError(f"fractions are {self.fractions}; each must be in (0, 1]")


def dense_prediction(options: DensePredictionOptions, context: EvaluationContext) -> Outcome:
    """Train and test every head with every part of the training images.

    Raises:
      NotApplicable: no image encoder or none with maps, or nothing is marked in the images.
    """
    if not context.embedder.has_image:
        raise NotApplicable("this system has no image encoder whose maps could be read")
    system = context.embedder.system()
    train, test = train_and_test(options.task, options.train, options.test_fraction, context)
    train, known = marked_images(train, context)
    test, truth = marked_images(test, context)
    train_images, test_images = (
        context.data.images(t.options.dataset, t.options.split, t.rows) for t in (train, test)
    )
    shown = known.marked
    average = known.mask[shown].mean(0)
    threshold = best_threshold(np.where(known.inside[shown], average, np.nan), known.mask[shown])
    maps = np.where(truth.inside, average, np.nan)
    parts = _parts("mean mask", maps, threshold, truth, test)
    derived = [_mean_dice("mean mask", maps, threshold, truth, test)]
    wanted = [(head, fraction) for head in options.heads for fraction in options.fractions]
    for head, fraction in tqdm(wanted, desc="dense", disable=not context.data.progress):
        chosen = _chosen(shown, fraction)
        probabilities = pixel_probabilities(
            system,
            head,
            train_images[chosen],
            known.mask[chosen],
            known.inside[chosen],
            test_images,
            options.training,
            seed=0,
        )
        maps = np.where(truth.inside, probabilities, np.nan)
        name = head if options.fractions == (1.0,) else f"{head}/{fraction:.4g}"
        parts += _parts(name, maps, 0.5, truth, test)
        derived.append(_mean_dice(name, maps, 0.5, truth, test))
    return Outcome(
        test.options.dataset,
        test.options.split,
        tuple(parts),
        tuple(derived),
        localization=worst_to_best(
            f"{parts[-2].name}: probabilities and mask",
            f"{test.classes[0]}, Dice",
            test.rows[truth.marked],
            maps[truth.marked],
            truth.mask[truth.marked],
            parts[-2].predictions.scores[0, :, 0],
        ),
    )


def _mean_dice(
    name: str, maps: np.ndarray, threshold: float, truth: FindingMasks, test: Task
) -> DerivedMetric:
    """Over the pixels of all images, see `mean_dice`."""
    counts = np.stack(
        [
            pixel_counts(m > threshold, mask, inside)
            for m, mask, inside in zip(maps, truth.mask, truth.inside, strict=True)
        ]
    )
    return DerivedMetric(
        f"{name}/all images", "mean_dice", functools.partial(mean_dice, counts), test.patients
    )


def _chosen(positive: np.ndarray, fraction: float) -> np.ndarray:
    """Rows to train on: a part of the images with a mask, and at most as many without."""
    order = np.asarray(shuffled(len(positive), 0))
    with_mask, without = order[positive[order]], order[~positive[order]]
    count = max(1, int(len(with_mask) * fraction))
    return np.concatenate([with_mask[:count], without[:count]])


def _parts(
    name: str, maps: np.ndarray, threshold: float, truth: FindingMasks, test: Task
) -> list[Part]:
    """The part of the images with a mask, then that of all images."""
    overlaps = [dice(m > threshold, mask) for m, mask in zip(maps, truth.mask, strict=True)]
    ranks = [pixel_precision(m, mask) for m, mask in zip(maps, truth.mask, strict=True)]
    positive = truth.marked
    numbers = np.stack([overlaps, ranks], axis=1)

    def part(name: str, at: np.ndarray, numbers: np.ndarray, metrics: tuple[str, ...]) -> Part:
        predictions = Predictions.measured(test.patients[at], numbers[at], metrics)
        return Part(name, predictions, test.rows[at])

    return [
        part(name, np.flatnonzero(positive), numbers, METRICS),
        part(f"{name}/all images", np.arange(len(positive)), numbers[:, :1], METRICS[:1]),
    ]
