# SPDX-License-Identifier: Apache-2.0
"""MINE's moving average of exp(score), as variables of a system."""

import jax
import jax.numpy as jnp
from flax import nnx


class RunningMean(nnx.Module):
    """The moving average of mean exp(score) over the negatives of batches, kept as its logarithm.

    Reference: Belghazi et al., "Mutual Information Neural Estimation", arXiv:1801.04062, section
    3.2.
    """

    def __init__(self, weight: float):
        """`weight` of a new batch, in (0, 1]; 1 takes the batch alone."""
        self.weight = weight
        # The logarithm of the running mean, and whether there has been a batch yet.
        self.log_mean = nnx.BatchStat(jnp.zeros(()), axes=())
        self.started = nnx.BatchStat(jnp.zeros((), bool), axes=())

    def updated(self, scores: jax.Array, allowed: jax.Array) -> jax.Array:
        """Take in the scores where `allowed`, bool of their shape; the logarithm of the mean.

        A batch without any leaves the mean as it was. No gradient passes.
        """
        some = jnp.any(allowed)
        detached = jax.lax.stop_gradient(scores)
        count = jnp.maximum(jnp.sum(allowed), 1)
        batch = jax.nn.logsumexp(detached, where=allowed | ~some) - jnp.log(count)
        log_decay = jnp.log1p(-self.weight) if self.weight < 1 else -jnp.inf
        mixed = jnp.logaddexp(self.log_mean[...] + log_decay, batch + jnp.log(self.weight))
        log_mean = jnp.where(self.started[...], mixed, batch)
        log_mean = jnp.where(some, log_mean, self.log_mean[...])
        self.log_mean.set_value(log_mean)
        self.started.set_value(self.started[...] | some)
        return log_mean
