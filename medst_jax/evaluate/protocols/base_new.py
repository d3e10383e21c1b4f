# SPDX-License-Identifier: Apache-2.0
"""Base and new classes: those seen as labels in pre-training, and those given only as text.

"base" and "new" each classify among their own classes: base by prototypes where the system has
them, new by text. "joint" classifies among all of them at once by text, so that the scores of
both kinds share one scale. The harmonic mean of the two balanced accuracies is low when either
is; for the joint space it is taken over the mean recalls of the base and of the new classes.
"""

import dataclasses

import numpy as np

from medst_jax.evaluate.protocols.parts.class_keys import check_class_keys, of_classes
from medst_jax.evaluate.protocols.parts.class_prompts import PromptMode
from medst_jax.evaluate.protocols.zero_shot import Mode, ZeroShotOptions, zero_shot
from medst_jax.evaluate.statistics import measure, metrics
from medst_jax.evaluate.statistics.bootstrap import Statistic
from medst_jax.evaluate.statistics.outcome import DerivedMetric, NotApplicable, Outcome, Part
from medst_jax.evaluate.statistics.predictions import Predictions
from medst_jax.evaluate.subjects.context import EvaluationContext
from medst_jax.evaluate.subjects.tasks import TaskOptions


@dataclasses.dataclass(frozen=True)
class BaseNewOptions:
    """Options of `base_new`.

    Attributes:
      task: data set and split; its `classes` are replaced by `base` and `new`.
      base, new: two lists of classes.
      prompts, own_prompts, prototypes: as in `ZeroShotOptions`, of base and new classes.
    """

    task: TaskOptions
    base: tuple[str, ...]
    new: tuple[str, ...]
    prompts: PromptMode = "ensemble"
    own_prompts: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    prototypes: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("own_prompts", "prototypes"):
            check_class_keys(getattr(self, name), (*self.base, *self.new), name)


def base_new(options: BaseNewOptions, context: EvaluationContext) -> Outcome:
    """Zero-shot over base, new and all classes, with harmonic means.

    Raises:
      NotApplicable: the system has no text encoder, without which new classes cannot be named.
    """
    if not (context.embedder.has_text or context.embedder.has_similarities):
        raise NotApplicable("this system has no text encoder; new classes cannot be named to it")

    def part(name: str, mode: Mode, classes: tuple[str, ...]) -> Part:
        task = dataclasses.replace(options.task, kind="single", classes=classes)
        shared = ZeroShotOptions(
            task,
            mode,
            options.prompts,
            of_classes(options.own_prompts, classes),
            of_classes(options.prototypes, classes),
        )
        return dataclasses.replace(zero_shot(shared, context).parts[0], name=name)

    base = part("base", "auto" if context.embedder.labels else "text", options.base)
    new = part("new", "text", options.new)
    joint = part("joint", "text", (*options.base, *options.new))
    derived = (
        DerivedMetric(
            "base and new",
            "harmonic_mean",
            _harmonic_apart(base.predictions, new.predictions),
            np.concatenate([base.predictions.patients, new.predictions.patients]),
            _small(base.predictions, new.predictions),
        ),
        DerivedMetric(
            "joint",
            "harmonic_mean",
            measure.statistic(joint.predictions, f"harmonic_mean/{len(options.base)}"),
            joint.predictions.patients,
            _small(joint.predictions),
        ),
    )
    return Outcome(options.task.dataset, options.task.split, (base, new, joint), derived)


def _harmonic_apart(base: Predictions, new: Predictions) -> Statistic:
    count = len(base.patients)
    of_base = measure.statistic(base, "balanced_accuracy")
    of_new = measure.statistic(new, "balanced_accuracy")
    return lambda weights: metrics.harmonic_mean(
        of_base(weights[:, :count]), of_new(weights[:, count:])
    )


def _small(*predictions: Predictions) -> bool:
    return any(p.positives().min() < measure.MIN_POSITIVES for p in predictions)
