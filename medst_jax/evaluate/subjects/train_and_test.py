# SPDX-License-Identifier: Apache-2.0
"""Training and test images of a classification, with no patient on both sides."""

import dataclasses

import numpy as np

from medst_jax.evaluate.subjects.context import EvaluationContext
from medst_jax.evaluate.subjects.shots import split_patients
from medst_jax.evaluate.subjects.tasks import Task, TaskOptions


def train_and_test(
    task: TaskOptions, train: TaskOptions | None, test_fraction: float, context: EvaluationContext
) -> tuple[Task, Task]:
    """Training and test images over the same classes.

    Args:
      task: the test images.
      train: the training images, whose classes, kind and labels become those of `task`; patients
        of the test images are left out. None takes a part of the test split's patients.
      test_fraction: of the patients, where `train` is None.
      context: whose data selects the images.

    Raises:
      ValueError: a class without a training image.
    """
    test = context.data.task(task)
    if train is None:
        fit_at, test_at = split_patients(test.patients, test_fraction)
        chosen, test = test.subset(fit_at), test.subset(test_at)
    else:
        named = test.classes[1:] if task.rest else test.classes
        wanted = dataclasses.replace(
            train, classes=named, kind=task.kind, labels=task.labels, rest=task.rest
        )
        chosen = _without_patients_of(context.data.task(wanted), test, context)
    for c, name in enumerate(test.classes):
        single = task.kind == "single"
        sides = [chosen.targets == c] if single else [chosen.targets[:, c] == t for t in (0, 1)]
        if not all(side.any() for side in sides):
            raise ValueError(
                f"class {name!r} has no {'' if single else 'positive or no negative '}training "
                f"image in {chosen.options.dataset}/{chosen.options.split}; name the classes of "
                "the task or another training split"
            )
    return chosen, test


def _without_patients_of(train: Task, test: Task, context: EvaluationContext) -> Task:
    keys = [
        context.data.studies(t.options.dataset, t.options.split).index.patient_key[t.rows]
        for t in (train, test)
    ]
    return train.subset(np.flatnonzero(~np.isin(*keys)))
