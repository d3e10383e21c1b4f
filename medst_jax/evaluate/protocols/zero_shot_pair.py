# SPDX-License-Identifier: Apache-2.0
"""Zero-shot presence of one finding by prompts for and against it (the RSNA pneumonia protocol).

Score: cosine with the positive class vector minus cosine with the negative one; a class vector
is the mean of its prompts' vectors, taken after or before their unit norm. Present where the score is
above zero: no threshold is chosen. The AUROC is of the continuous score; the Med-ST release computes
it of the hard decision, which is the balanced accuracy under another name. Papers print the F1 of the
finding, `f1/<finding>`; `f1` is the mean of that and the F1 of its absence.

Reference: Boecking et al., arXiv:2204.09817, section 4.3.
"""

import dataclasses

import numpy as np

from medst_jax.evaluate.protocols.parts.class_prompts import PromptMean, class_vector
from medst_jax.evaluate.statistics.outcome import NotApplicable, Outcome, Part
from medst_jax.evaluate.statistics.predictions import Predictions
from medst_jax.evaluate.subjects.context import EvaluationContext
from medst_jax.evaluate.subjects.tasks import TaskOptions
from medst_jax.options import before
from medst_jax.text.prompts import prompt_bank

# The prompts that the authors released for pneumonia.
_BANK = prompt_bank("biovil")
PNEUMONIA = _BANK.prompts("pneumonia")
NO_PNEUMONIA = _BANK.prompts("pneumonia", "negative")


@dataclasses.dataclass(frozen=True)
class ZeroShotPairOptions:
    """Options of `zero_shot_pair`.

    Attributes:
      task: with one class and kind "multi".
      positive, negative: prompts for presence and absence.
      prompt_mean: of "unit_vectors" or "raw_vectors", see `class_vector`.
    """

    task: TaskOptions
    positive: tuple[str, ...] = PNEUMONIA
    negative: tuple[str, ...] = NO_PNEUMONIA
    prompt_mean: PromptMean = dataclasses.field(
        default="unit_vectors", metadata=before("unit_vectors")
    )


def zero_shot_pair(options: ZeroShotPairOptions, context: EvaluationContext) -> Outcome:
    """Score every image of the task.

    Raises:
      NotApplicable: the system has no text encoder, or does not give the vectors that are averaged.
      ValueError: the task has more than one class, or is not of kind "multi".
    """
    if not (context.embedder.has_text or context.embedder.has_similarities):
        raise NotApplicable("this system has no text encoder; prompts cannot be embedded")
    task = context.data.task(options.task)
    if len(task.classes) != 1 or options.task.kind != "multi":
        raise ValueError(
            f"zero_shot_pair needs one class and kind='multi'; it has {len(task.classes)} classes "
            f"and kind={options.task.kind!r}"
        )
    known = task.targets[:, 0] >= 0
    score = _differences(options, context, task.rows)
    scores = np.stack([-score, score], axis=1)[known][None] / 2
    classes = (f"no {task.classes[0]}", task.classes[0])
    predictions = Predictions(
        "single",
        task.patients[known],
        task.targets[known, 0].astype(np.int64),
        scores.astype(np.float32),
        classes,
    )
    part = Part("", predictions, task.rows[known])
    return Outcome(options.task.dataset, options.task.split, (part,))


def _differences(
    options: ZeroShotPairOptions, context: EvaluationContext, rows: np.ndarray
) -> np.ndarray:
    """Cosine with the positive class vector less that with the negative one, [N].

    Without a joint space: the mean of the system's own scores of the prompts, likewise.
    """
    place, prompts = (
        (options.task.dataset, options.task.split),
        (options.positive, options.negative),
    )
    if not context.embedder.has_text:
        present, absent = (context.similarities(*place, rows, p).mean(axis=1) for p in prompts)
        return present - absent
    images = context.embed(*place, rows).global_
    present, absent = (
        class_vector(context.embedder.texts(p), options.prompt_mean) for p in prompts
    )
    return images @ (present - absent)
