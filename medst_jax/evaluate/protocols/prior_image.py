# SPDX-License-Identifier: Apache-2.0
"""Single against multi-image: does the patient's prior image help to read the current one?

A linear probe on frozen features, on studies whose patient has an earlier frontal image:

  single        the image alone
  multi         the image and its prior; a system that reads both embeds them at once, of others
                the two features are joined
  other_prior   the probe of "multi", tested with the prior of another patient

"gain" is multi minus single on the same images. The question of arXiv:2301.04558, section 4.5, asked
of every system.
"""

import dataclasses

import numpy as np

from medst_jax.data.records.timeline import other_patients, prior_rows
from medst_jax.evaluate.fitting.logistic_regression import probe_scores
from medst_jax.evaluate.statistics.measure import statistic
from medst_jax.evaluate.statistics.outcome import DerivedMetric, NotApplicable, Outcome, Part
from medst_jax.evaluate.statistics.predictions import Predictions
from medst_jax.evaluate.subjects.context import EvaluationContext
from medst_jax.evaluate.subjects.tasks import Task, TaskOptions
from medst_jax.evaluate.subjects.train_and_test import train_and_test


@dataclasses.dataclass(frozen=True)
class PriorImageOptions:
    """Options of `prior_image`.

    Attributes:
      task: the test images, of which those with a prior are kept.
      train: the training images, likewise; None takes them from the test split, by patient.
      test_fraction: of the patients, where `train` is None.
    """

    task: TaskOptions
    train: TaskOptions | None = None
    test_fraction: float = 0.2


def prior_image(options: PriorImageOptions, context: EvaluationContext) -> Outcome:
    """Probe the features of one image, of two, and of two that do not belong together.

    Raises:
      NotApplicable: no image encoder, or no training or test image has a prior.
      ValueError: a class without a training image that has a prior.
    """
    if not context.embedder.has_image:
        raise NotApplicable("this system has no image encoder; a prior image cannot help it")
    train, test = train_and_test(options.task, options.train, options.test_fraction, context)
    (train, fit_priors), (test, priors) = _with_priors(train, context), _with_priors(test, context)
    strange = priors[other_patients(test.patients)]
    single, _ = probe_scores(
        train, _features(train, None, context), _features(test, None, context), -1.0, 0
    )
    test_features = [_features(test, chosen, context) for chosen in (priors, strange)]
    both, _ = probe_scores(
        train, _features(train, fit_priors, context), np.concatenate(test_features), -1.0, 0
    )
    multi, other = np.split(both, 2)
    parts = {
        name: Part(
            name,
            Predictions(
                test.options.kind,
                test.patients,
                test.targets,
                scores[None].astype(np.float32),
                test.classes,
            ),
            test.rows,
        )
        for name, scores in {"single": single, "multi": multi, "other_prior": other}.items()
    }
    metric = "balanced_accuracy" if test.options.kind == "single" else "auroc"
    with_prior, without = (statistic(parts[k].predictions, metric) for k in ("multi", "single"))
    gain = DerivedMetric("gain", metric, lambda w: with_prior(w) - without(w), test.patients)
    return Outcome(test.options.dataset, test.options.split, tuple(parts.values()), derived=(gain,))


def _with_priors(task: Task, context: EvaluationContext) -> tuple[Task, np.ndarray]:
    """The images with a prior, and the rows of the priors."""
    index = context.data.studies(task.options.dataset, task.options.split).index
    priors = prior_rows(index.patient, index.has_frontal)[task.rows]
    at = np.flatnonzero(priors >= 0)
    if not len(at):
        raise NotApplicable(
            f"no image of {task.options.dataset}/{task.options.split} has an earlier frontal one"
        )
    return task.subset(at), priors[at]


def _features(task: Task, priors: np.ndarray | None, context: EvaluationContext) -> np.ndarray:
    """Features [n, D] of a task's images, with those of `priors` where given."""
    dataset, split = task.options.dataset, task.options.split
    if priors is not None and context.embedder.reads_priors:
        current, prior = (context.data.images(dataset, split, r) for r in (task.rows, priors))
        return context.embedder.pairs(current, prior, np.ones(len(priors), bool)).features
    rows = [task.rows] if priors is None else [task.rows, priors]
    return np.concatenate([context.embed(dataset, split, r).features for r in rows], axis=1)
