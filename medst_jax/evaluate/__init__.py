# SPDX-License-Identifier: Apache-2.0
"""Evaluation: protocols that see only the `System` interface, a tokenizer and studies."""

from medst_jax.evaluate.bench import Bench, Library
from medst_jax.evaluate.bootstrap import clustered_interval, paired_difference
from medst_jax.evaluate.embedder import Embedder, Embeddings
from medst_jax.evaluate.in_loop import make_evaluator
from medst_jax.evaluate.predictions import Predictions
from medst_jax.evaluate.rows import Row
from medst_jax.evaluate.suite import parse_suite, run_suite

__all__ = [
    "Bench",
    "Embedder",
    "Embeddings",
    "Library",
    "Predictions",
    "Row",
    "clustered_interval",
    "make_evaluator",
    "paired_difference",
    "parse_suite",
    "run_suite",
]
