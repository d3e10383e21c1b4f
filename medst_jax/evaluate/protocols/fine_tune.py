# SPDX-License-Identifier: Apache-2.0
"""Fine-tuning of the image encoder with parts of the labels, such as 1, 10 and 100%.

The setting of the field's tables (MGCA, BioViL, Med-ST): a linear head on pooled features, encoder
and head trained together, or the encoder frozen. Images of one split train, those of another test,
with no patient on both sides; the test images are the same for every part. Unless `tuning` counts
epochs, the number of steps does not depend on the part; nothing is chosen on the test images.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, Literal

import jax
import numpy as np
from scipy.special import log_softmax
from tqdm import tqdm

from medst_jax.evaluate.fitting.tuning import TuningOptions, head_scores, tuned_scores
from medst_jax.evaluate.statistics.outcome import NotApplicable, Outcome, Part
from medst_jax.evaluate.statistics.predictions import Predictions
from medst_jax.evaluate.subjects.context import EvaluationContext
from medst_jax.evaluate.subjects.shots import shuffled, take_fraction
from medst_jax.evaluate.subjects.tasks import Task, TaskOptions
from medst_jax.evaluate.subjects.train_and_test import train_and_test
from medst_jax.options import before


@dataclasses.dataclass(frozen=True)
class FineTuneOptions:
    """Options of `fine_tune`.

    Attributes:
      task: the test images, of kind "single" or "multi".
      train: the training images; None takes them from the test split itself, by patient.
      test_fraction: of the patients, where `train` is None.
      fractions: of the training images, each in (0, 1]. Of kind "single" they are taken of each
        class, and classes are balanced by repetition, unless `sampling` says otherwise.
      draws: repetitions with other images; a fraction of 1 is run once.
      tuning: of the optimisation.
      sampling: "balanced" as said; "plain" takes a part of all images as they are, as MGCA and
        Med-ST do.
      validation: images whose loss ends a tuning with patience; patients of the test images are
        left out.
    """

    task: TaskOptions
    train: TaskOptions | None = None
    test_fraction: float = 0.2
    fractions: tuple[float, ...] = (0.01, 0.1, 1.0)
    draws: int = 1
    tuning: TuningOptions = dataclasses.field(default_factory=TuningOptions)
    sampling: Literal["balanced", "plain"] = dataclasses.field(
        default="balanced", metadata=before("balanced")
    )
    validation: TaskOptions | None = dataclasses.field(default=None, metadata=before(None))


def fine_tune(options: FineTuneOptions, context: EvaluationContext) -> Outcome:
    """Tune and test with every part of the labels.

    Raises:
      NotApplicable: there is no image encoder whose parameters can be changed.
      ValueError: a class without a training image, or a fraction outside (0, 1].
    """
    if not all(0 < fraction <= 1 for fraction in options.fractions):
        raise ValueError(f"fractions are {options.fractions}; each must be in (0, 1]")
    if not context.embedder.has_image:
        raise NotApplicable("this system has no image encoder to fine-tune")
    train, test = train_and_test(options.task, options.train, options.test_fraction, context)
    scores_of = (_of_frozen if options.tuning.encoder == "frozen" else _of_tuned)(
        options, context, train, test
    )
    wanted = [
        (f, seed) for f in options.fractions for seed in range(1 if f == 1 else options.draws)
    ]
    scores: dict[float, list[np.ndarray]] = {}
    for fraction, seed in tqdm(wanted, desc="fine-tuning", disable=not context.data.progress):
        logits = scores_of(_chosen(train, fraction, seed, options.sampling), seed)
        scores.setdefault(fraction, []).append(
            log_softmax(logits, axis=1) if train.options.kind == "single" else logits
        )
    parts = [
        Part(
            f"{fraction:.4g} of the labels" if fraction < 0.01 else f"{fraction:.0%}",
            Predictions(
                test.options.kind,
                test.patients,
                test.targets,
                np.stack(runs).astype(np.float32),
                test.classes,
            ),
            test.rows,
        )
        for fraction, runs in scores.items()
    ]
    return Outcome(test.options.dataset, test.options.split, tuple(parts))


_Scores = Callable[[np.ndarray, int], np.ndarray]


def _of_tuned(
    options: FineTuneOptions, context: EvaluationContext, train: Task, test: Task
) -> _Scores:
    """Scores [m, C] of the test images by positions of training images and a seed."""
    system = context.embedder.system()
    images, test_images = (_images(task, context) for task in (train, test))
    chosen_on = _validation(options, context)
    validation = None if chosen_on is None else ((_images(chosen_on, context),), chosen_on.targets)

    def scores(chosen: np.ndarray, seed: int) -> np.ndarray:
        return tuned_scores(
            system,
            _pooled,
            (images[chosen],),
            train.targets[chosen],
            (test_images,),
            len(test.classes),
            options.tuning,
            seed,
            validation,
        )

    return scores


def _of_frozen(
    options: FineTuneOptions, context: EvaluationContext, train: Task, test: Task
) -> _Scores:
    """The same with features that are made once; a table of features serves too."""
    features, test_features = (_features(task, context) for task in (train, test))
    chosen_on = _validation(options, context)
    validation = None if chosen_on is None else (_features(chosen_on, context), chosen_on.targets)

    def scores(chosen: np.ndarray, seed: int) -> np.ndarray:
        return head_scores(
            features[chosen],
            train.targets[chosen],
            test_features,
            len(test.classes),
            options.tuning,
            seed,
            validation,
        )

    return scores


def _validation(options: FineTuneOptions, context: EvaluationContext) -> Task | None:
    if options.validation is None:
        return None
    return train_and_test(options.task, options.validation, options.test_fraction, context)[0]


def _images(task: Task, context: EvaluationContext) -> np.ndarray:
    return context.data.images(task.options.dataset, task.options.split, task.rows)


def _features(task: Task, context: EvaluationContext) -> np.ndarray:
    return context.embed(task.options.dataset, task.options.split, task.rows).features


def _pooled(system: Any, images: jax.Array) -> jax.Array:
    return system.encode_image(images).features


def _chosen(train: Task, fraction: float, seed: int, sampling: str) -> np.ndarray:
    if train.options.kind == "single" and sampling == "balanced":
        return take_fraction(train.targets, fraction, seed)
    order = shuffled(len(train.targets), seed)
    return np.asarray(order[: max(1, int(len(order) * fraction))])
