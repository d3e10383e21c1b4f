# SPDX-License-Identifier: Apache-2.0
"""Evaluators that run during training: one protocol, plain values, no intervals."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
from etils import epath

from medst_jax.data.images import Decode, Fit
from medst_jax.evaluate.registry import parse_protocol
from medst_jax.evaluate.statistics.measure import available, statistic
from medst_jax.evaluate.statistics.outcome import Outcome
from medst_jax.evaluate.subjects.context import EvaluationContext, EvaluationData
from medst_jax.evaluate.subjects.embedder import Embedder, TextEncoder


class InputOptions(Protocol):
    """The part of the input's options that evaluation shares with training."""

    @property
    def data_dir(self) -> epath.PathLike: ...

    @property
    def size(self) -> int: ...

    @property
    def text_length(self) -> int: ...

    @property
    def fit(self) -> Fit: ...

    @property
    def decode(self) -> Decode: ...

    @property
    def cleans_reports(self) -> bool: ...


def make_evaluator(
    options: Mapping[str, Any], tokenizer: TextEncoder | None, data: InputOptions
) -> Callable[[Any], dict[str, float]]:
    """An evaluator of one entry of `config.evaluate`.

    Args:
      options: {"protocol": ..., options of the protocol}; "every" belongs to the trainer and is
        ignored here.
      tokenizer: of the run; None for systems without text.
      data: options of the training input.

    Returns:
      system -> {"metric" or "part/metric": value}. Images are decoded once.

    Raises:
      OptionError: an unknown protocol or option.
      MissingDataError: at once, not at the first evaluation.
    """
    chosen = {key: value for key, value in options.items() if key != "every"}
    task = parse_protocol(chosen, "config.evaluate")
    evaluation_data = EvaluationData(
        data.data_dir,
        data.size,
        data.fit,
        decode=data.decode,
        keep_images=True,
        progress=False,
    )
    for dataset, split in task.needs():
        evaluation_data.image_studies(dataset, split)

    def evaluate(system: Any) -> dict[str, float]:
        embedder = Embedder(
            system, tokenizer, data.size, data.text_length, cleaned=data.cleans_reports
        )
        return headline(task.run(EvaluationContext(embedder, evaluation_data)))

    return evaluate


def headline(outcome: Outcome) -> dict[str, float]:
    """Every metric but those of single classes, by "metric" or "part/metric"."""
    values = {}
    for part in outcome.parts:
        weights = np.ones((1, len(part.predictions.patients)))
        for metric in available(part.predictions):
            if "/" not in metric:
                value = statistic(part.predictions, metric)(weights)[0]
                values["/".join(filter(None, (part.name, metric)))] = float(value)
    for derived in outcome.derived:
        value = derived.statistic(np.ones((1, len(derived.patients))))[0]
        values[f"{derived.part}/{derived.metric}"] = float(value)
    return values
