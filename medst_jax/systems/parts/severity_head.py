# SPDX-License-Identifier: Apache-2.0
"""Heads of edema severity 0 to 3, four classes or three cumulative questions; and their metrics."""

from typing import Literal

import jax
import jax.numpy as jnp
from flax import nnx

from medst_jax.losses.severity import LEVELS, ordinal_severity_loss, severity_cross_entropy
from medst_jax.systems.system import Metrics

HeadName = Literal["softmax", "ordinal"]
# What the logits of `cumulative` answer, in order.
QUESTIONS = tuple(f"Edema >= {level}" for level in range(1, LEVELS))


class SoftmaxSeverity(nnx.Module):
    """A linear map to four classes."""

    def __init__(self, features: int, *, rngs: nnx.Rngs) -> None:
        self.linear = _linear(features, LEVELS, rngs)

    def __call__(self, features: jax.Array) -> jax.Array:
        """[B, D] -> logits float32 [B, 4]."""
        return self.linear(features.astype(jnp.float32))

    def loss(self, logits: jax.Array, severity: jax.Array) -> jax.Array:
        """See `severity_cross_entropy`."""
        return severity_cross_entropy(logits, severity)

    def cumulative(self, logits: jax.Array) -> jax.Array:
        """Logits [B, 3] of severity >= 1, 2, 3."""
        above = [jax.nn.logsumexp(logits[:, k:], axis=1) for k in range(1, LEVELS)]
        below = [jax.nn.logsumexp(logits[:, :k], axis=1) for k in range(1, LEVELS)]
        return jnp.stack(above, axis=1) - jnp.stack(below, axis=1)


class OrdinalSeverity(nnx.Module):
    """A linear map to three cumulative logits, free to cross as in the release."""

    def __init__(self, features: int, *, rngs: nnx.Rngs) -> None:
        self.linear = _linear(features, LEVELS - 1, rngs)

    def __call__(self, features: jax.Array) -> jax.Array:
        """[B, D] -> logits float32 [B, 3]."""
        return self.linear(features.astype(jnp.float32))

    def loss(self, logits: jax.Array, severity: jax.Array) -> jax.Array:
        """See `ordinal_severity_loss`."""
        return ordinal_severity_loss(logits, severity)

    def cumulative(self, logits: jax.Array) -> jax.Array:
        """Logits [B, 3] of severity >= 1, 2, 3: the head's own."""
        return logits


HEADS: dict[str, type[SoftmaxSeverity] | type[OrdinalSeverity]] = {
    "softmax": SoftmaxSeverity,
    "ordinal": OrdinalSeverity,
}


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


def _linear(features: int, size: int, rngs: nnx.Rngs) -> nnx.Linear:
    return nnx.Linear(
        features,
        size,
        kernel_init=nnx.initializers.variance_scaling(1 / 3, "fan_in", "uniform"),
        kernel_metadata={"axes": ("embed", "labels")},
        bias_metadata={"axes": ("labels",)},
        rngs=rngs,
    )
