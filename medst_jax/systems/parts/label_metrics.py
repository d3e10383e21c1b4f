# SPDX-License-Identifier: Apache-2.0
"""Training metrics of label logits, as (sum, count) pairs."""

import jax
import jax.numpy as jnp

from medst_jax.systems.system import Metrics


def label_metrics(logits: jax.Array, labels: jax.Array, known: jax.Array) -> Metrics:
    """Recall and specificity at logit 0 over the known labels; all arguments [B, C]."""
    positive = known & (labels > 0.5)
    negative = known & ~positive
    predicted = logits > 0
    return {
        "label_recall": (jnp.sum(positive & predicted) * 1.0, jnp.sum(positive) * 1.0),
        "label_specificity": (jnp.sum(negative & ~predicted) * 1.0, jnp.sum(negative) * 1.0),
    }
