# SPDX-License-Identifier: Apache-2.0
"""Saliency: which pixels does a class's own logit depend on, and are they where the finding is?

The gradient of the logit with respect to the image, averaged over noisy copies (SmoothGrad, Smilkov
et al., arXiv:1706.03825), its absolute value smoothed. Of a severity head the logits of all grades are
summed. Measured against masks or boxes as phrase grounding is, beside the mean training mask, which
sees no image, the map of another patient's image, and the centre.
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from scipy.ndimage import gaussian_filter

from medst_jax.data.records.timeline import other_patients
from medst_jax.evaluate.fitting.short_training import in_blocks
from medst_jax.evaluate.protocols.parts.finding_masks import FindingMasks, marked_images
from medst_jax.evaluate.protocols.parts.localization_examples import worst_to_best
from medst_jax.evaluate.protocols.parts.location_baseline import centre_map
from medst_jax.evaluate.protocols.parts.severity_head import HEAD_LABELS
from medst_jax.evaluate.protocols.parts.similarity_maps import METRICS, map_numbers
from medst_jax.evaluate.statistics.outcome import NotApplicable, Outcome, Part
from medst_jax.evaluate.statistics.predictions import Predictions
from medst_jax.evaluate.subjects.context import EvaluationContext
from medst_jax.evaluate.subjects.tasks import TaskOptions
from medst_jax.evaluate.subjects.train_and_test import train_and_test

_BLOCK = 16


@dataclasses.dataclass(frozen=True)
class SaliencyOptions:
    """Options of `saliency`.

    Attributes:
      task: the test images, of kind "multi" and with one class; those with a mask count.
      train: images whose masks make the mean mask; None takes them from the test split itself, by
        patient.
      test_fraction: of the patients, where `train` is None.
      samples: noisy copies of an image.
      noise: their standard deviation, in parts of the range of grey values.
      smoothing: standard deviation of the Gaussian over the map, in parts of the image's side.

    Raises:
      ValueError: several classes, or no samples.
    """

    task: TaskOptions
    train: TaskOptions | None = None
    test_fraction: float = 0.2
    samples: int = 16
    noise: float = 0.1
    smoothing: float = 0.04

    def __post_init__(self) -> None:
        if len(self.task.classes) != 1 or self.task.kind != "multi":
            raise ValueError(
                f"saliency is of one finding: its task has classes {self.task.classes} and kind "
                f"{self.task.kind!r}; name one class, of kind 'multi'"
            )
        if self.samples < 1:
            raise ValueError(f"samples is {self.samples}; at least one copy of an image is needed")


def saliency(options: SaliencyOptions, context: EvaluationContext) -> Outcome:
    """Measure the saliency map of every image that has a mask.

    Raises:
      NotApplicable: the system has no logit of this class, or nothing is marked in the images.
    """
    weights = _logit(options.task.classes[0], context.embedder.labels)
    train, test = train_and_test(options.task, options.train, options.test_fraction, context)
    _, known = marked_images(train, context)
    test, truth = marked_images(test, context)
    at = np.flatnonzero(truth.marked)
    test, truth = test.subset(at), FindingMasks(truth.mask[at], truth.inside[at])
    images = context.data.images(test.options.dataset, test.options.split, test.rows)
    sharp = saliency_maps(context.embedder.system(), images, weights, options)
    smooth = gaussian_filter(sharp, options.smoothing * images.shape[1], axes=(1, 2))
    # Gradients have no scale of their own: thresholds are shares of an image's highest value.
    smooth /= np.maximum(smooth.max(axis=(1, 2), keepdims=True), 1e-30)
    other = other_patients(test.patients)
    average = np.broadcast_to(known.mask[known.marked].mean(0), sharp.shape)
    centre = np.broadcast_to(centre_map(images.shape[1]), sharp.shape)
    kinds = {
        "map": (smooth, sharp),
        "mean mask": (average, average),
        "other_patient": (smooth[other], sharp[other]),
        "centre": (centre, centre),
    }
    parts = []
    for name, pair in kinds.items():
        numbers = [map_numbers(*maps) for maps in zip(*pair, truth.mask, truth.inside, strict=True)]
        predictions = Predictions.measured(test.patients, np.asarray(numbers), METRICS)
        parts.append(Part(name, predictions, test.rows))
    return Outcome(
        test.options.dataset,
        test.options.split,
        tuple(parts),
        localization=worst_to_best(
            "saliency and mask",
            f"{test.classes[0]}, contrast",
            test.rows,
            np.where(truth.inside, smooth, np.nan),
            truth.mask,
            parts[0].predictions.scores[0, :, 0],
        ),
    )


def saliency_maps(
    system: Any, images: np.ndarray, weights: np.ndarray, options: SaliencyOptions
) -> np.ndarray:
    """Absolute SmoothGrad float32 [n, S, S] of `class_logits @ weights`.

    Args:
      system: with `class_logits`.
      images: uint8 [n, S, S, 1].
      weights: float32 [C].
      options: of the copies.
    """
    graph, state = nnx.split(system)
    keys = np.asarray(
        jax.random.key_data(jax.random.split(jax.random.key(0), len(images))), np.uint32
    )
    static = (graph, options.samples, float(options.noise))
    answer = functools.partial(_smooth_gradients, static, (state, jnp.asarray(weights)))
    return in_blocks(answer, (images, keys), _BLOCK)


@functools.partial(jax.jit, static_argnums=0)
def _smooth_gradients(static: Any, state: Any, batch: list[jax.Array]) -> jax.Array:
    graph, samples, noise = static
    parameters, weights = state
    images, keys = batch[0].astype(jnp.float32), jax.random.wrap_key_data(batch[1])

    def logit(images: jax.Array) -> jax.Array:
        return jnp.sum(nnx.merge(graph, parameters).class_logits(images) @ weights)

    def gradient(number: jax.Array) -> jax.Array:
        gaussian = jax.vmap(
            lambda key: jax.random.normal(jax.random.fold_in(key, number), images.shape[1:])
        )(keys)
        return jax.grad(logit)(images + 255.0 * noise * gaussian)[..., 0]

    return jnp.abs(jax.lax.map(gradient, jnp.arange(samples)).mean(0))


def _logit(name: str, labels: tuple[str, ...]) -> np.ndarray:
    """Weights [C] that make one logit of a class."""
    known = [label.lower() for label in labels]
    wanted = HEAD_LABELS if name == "Edema" and set(HEAD_LABELS) <= set(labels) else (name,)
    if any(label.lower() not in known for label in wanted):
        raise NotApplicable(
            f"the system has no logit of {name!r}; it answers {', '.join(labels) or 'no class'}"
        )
    weights = np.zeros(len(labels), np.float32)
    weights[[known.index(label.lower()) for label in wanted]] = 1.0
    return weights
