# SPDX-License-Identifier: Apache-2.0
"""Batch normalisation with the running statistics of torch.nn.BatchNorm2d."""

import jax
import jax.numpy as jnp
from flax import nnx


class BatchNorm(nnx.Module):
    """Normalise over every axis but the last; statistics in float32.

    As in PyTorch, a batch is normalised by its biased variance while the running variance
    takes the unbiased one. Under a mesh the batch is the global one.

    Source: Ioffe and Szegedy 2015 (arXiv:1502.03167); momentum and epsilon of torchvision.
    """

    def __init__(
        self,
        features: int,
        *,
        momentum: float = 0.1,
        epsilon: float = 1e-5,
        affine: bool = True,
    ) -> None:
        """`momentum` is the weight of the new batch, in [0, 1]; `affine`: learn scale and bias."""
        axes = ("conv_out",)
        self.scale = nnx.Param(jnp.ones(features), axes=axes) if affine else None
        self.bias = nnx.Param(jnp.zeros(features), axes=axes) if affine else None
        self.mean = nnx.BatchStat(jnp.zeros(features), axes=axes)
        self.var = nnx.BatchStat(jnp.ones(features), axes=axes)
        self.momentum = momentum
        self.epsilon = epsilon

    def __call__(
        self, x: jax.Array, *, train: bool = False, mask: jax.Array | None = None
    ) -> jax.Array:
        """[..., D] -> [..., D] in the dtype of `x`.

        Args:
          x: [..., D].
          train: use and record the statistics of the batch.
          mask: bool [...], false where a row is padding and counts for nothing; None for all.
        """
        values = x.astype(jnp.float32)
        mean, var = self.mean[...], self.var[...]
        if train:
            mean, var = self._batch_statistics(values, mask)
        slope = jax.lax.rsqrt(var + self.epsilon)
        if self.scale is None or self.bias is None:
            return ((values - mean) * slope).astype(x.dtype)
        return ((values - mean) * (self.scale[...] * slope) + self.bias[...]).astype(x.dtype)

    def _batch_statistics(
        self, values: jax.Array, mask: jax.Array | None
    ) -> tuple[jax.Array, jax.Array]:
        axes = tuple(range(values.ndim - 1))
        if mask is None:
            count = values.size // values.shape[-1]
            mean = values.mean(axes)
            var = jnp.square(values - mean).mean(axes)
            unbiased = var * (count / max(count - 1, 1))
        else:
            weights = mask[..., None].astype(jnp.float32)
            total = jnp.maximum(jnp.sum(weights), 1.0)
            mean = jnp.sum(jnp.where(weights > 0, values, 0.0), axes) / total
            squares = jnp.square(jnp.where(weights > 0, values - mean, 0.0))
            var = jnp.sum(squares, axes) / total
            unbiased = var * total / jnp.maximum(total - 1, 1.0)
        keep = 1.0 - self.momentum
        # Gradients never reach the running statistics: they are outputs of their own.
        for running, batch in ((self.mean, mean), (self.var, unbiased)):
            running.set_value(keep * running[...] + self.momentum * jax.lax.stop_gradient(batch))
        return mean, var
