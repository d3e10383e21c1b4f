# SPDX-License-Identifier: Apache-2.0
"""Training metrics of edema severity, as (sum, count) pairs."""

import jax
import jax.numpy as jnp

from medst_jax.systems.system import Metrics


def severity_metrics(cumulative: jax.Array, severity: jax.Array) -> Metrics:
    """Accuracy of each cumulative question at logit 0, over graded rows.

    Args:
      cumulative: logits [B, 3] of severity >= 1, 2, 3.
      severity: int [B], -1 unknown.
    """
    known = severity >= 0
    levels = jnp.arange(1, cumulative.shape[1] + 1)
    right = ((cumulative > 0) == (severity[:, None] >= levels)) & known[:, None]
    graded = jnp.sum(known) * 1.0
    return {
        "severity_accuracy": (jnp.sum(jnp.mean(right * 1.0, axis=1)), graded),
        "graded": (graded, 1.0),
    }
