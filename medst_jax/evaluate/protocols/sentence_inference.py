# SPDX-License-Identifier: Apache-2.0
"""Natural language inference: does one sentence follow from another, contradict it, or neither?

The text encoder is fine-tuned on pairs of one data set (MedNLI in CXR-BERT's table,
arXiv:2204.09817) and tested on another (RadNLI); numbers are means over several runs. A classifier
reads [u, v, |u - v|, u * v] of the two sentences' features (arXiv:1705.02364, section 3.1), which
serves every text encoder; the paper reads both sentences in one sequence, so its numbers are another
protocol's. Training pairs that share their first sentence with a test pair are left out.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import log_softmax
from tqdm import tqdm

from medst_jax.data.records.annotations import SentencePair
from medst_jax.evaluate.fitting.tuning import TuningOptions, tuned_scores
from medst_jax.evaluate.statistics.outcome import NotApplicable, Outcome, Part
from medst_jax.evaluate.statistics.predictions import Predictions
from medst_jax.evaluate.subjects.context import EvaluationContext

CLASSES = ("entailment", "neutral", "contradiction")


@dataclasses.dataclass(frozen=True)
class SentenceInferenceOptions:
    """Options of `sentence_inference`.

    Attributes:
      dataset, split: the test pairs.
      train_dataset, train_split: the training pairs.
      runs: with other orders of the training pairs; numbers are means over them.
      tuning: of the optimisation.
    """

    dataset: str
    train_dataset: str
    split: str = "test"
    train_split: str = "train"
    runs: int = 5
    tuning: TuningOptions = dataclasses.field(
        default_factory=lambda: TuningOptions(learning_rate=2e-5)
    )


def sentence_inference(options: SentenceInferenceOptions, context: EvaluationContext) -> Outcome:
    """Tune on the training pairs, classify the test pairs.

    Raises:
      NotApplicable: there is no text encoder, or either side lacks a class.
    """
    if not context.embedder.has_text:
        raise NotApplicable("this system has no text encoder; sentences cannot be embedded")
    test = _pairs(context, options.dataset, options.split)
    test_premises = {pair.text_a for pair in test}
    train = [
        pair
        for pair in _pairs(context, options.train_dataset, options.train_split)
        if pair.text_a not in test_premises
    ]
    for dataset, split, pairs in (
        (options.dataset, options.split, test),
        (options.train_dataset, options.train_split, train),
    ):
        missing = set(CLASSES) - {pair.relation for pair in pairs}
        if missing:
            raise NotApplicable(
                f"{dataset}/{split} has no pairs of {', '.join(sorted(missing))} that serve"
            )
    train_tokens, test_tokens = (_tokens(context, pairs) for pairs in (train, test))
    targets, truth = (_targets(pairs) for pairs in (train, test))
    system = context.embedder.system()
    progress = tqdm(range(options.runs), desc="inference", disable=not context.data.progress)
    scores = [
        tuned_scores(
            system, _compared, train_tokens, targets, test_tokens, len(CLASSES), options.tuning, run
        )
        for run in progress
    ]
    # Pairs about one sentence belong together in the bootstrap.
    groups = np.unique([pair.text_a for pair in test], return_inverse=True)[1]
    stacked = log_softmax(np.stack(scores), axis=2).astype(np.float32)
    predictions = Predictions("single", groups, truth, stacked, CLASSES)
    part = Part("", predictions, np.zeros(0, np.int64))
    return Outcome(options.dataset, options.split, (part,))


def _pairs(context: EvaluationContext, dataset: str, split: str) -> list[SentencePair]:
    return [
        pair
        for pair in context.data.annotations(dataset, SentencePair, split)
        if pair.relation in CLASSES
    ]


def _targets(pairs: list[SentencePair]) -> np.ndarray:
    return np.array([CLASSES.index(pair.relation) for pair in pairs], np.int64)


def _tokens(context: EvaluationContext, pairs: list[SentencePair]) -> tuple[np.ndarray, ...]:
    """What `encode_text` takes, of the first sentences and then of the second."""
    first = context.embedder.tokens([pair.text_a for pair in pairs])
    return (*first, *context.embedder.tokens([pair.text_b for pair in pairs]))


def _compared(system: Any, *arrays: jax.Array) -> jax.Array:
    half = len(arrays) // 2
    u, v = (system.encode_text(*side).features for side in (arrays[:half], arrays[half:]))
    return jnp.concatenate([u, v, jnp.abs(u - v), u * v], axis=1)
