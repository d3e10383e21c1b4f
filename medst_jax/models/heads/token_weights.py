# SPDX-License-Identifier: Apache-2.0
"""Weights of an example's tokens: learned (Med-ST), or read off an attention (MGCA)."""

import jax
import jax.numpy as jnp
from flax import nnx

_MASKED = -1e9  # exp of it is exactly 0, and a row without any token stays finite


class TokenWeights(nnx.Module):
    """The attention of one head from the mean of the tokens to the tokens themselves.

    Only what queries and keys need is here: the released module carries value and output
    projections that nothing reads.

    Source: Med-ST (arXiv:2405.19654), the weighting of its local alignment.
    """

    def __init__(self, features: int, *, rngs: nnx.Rngs) -> None:
        """`features` E."""

        def linear() -> nnx.Linear:
            return nnx.Linear(
                features,
                features,
                kernel_init=nnx.initializers.glorot_uniform(),
                kernel_metadata={"axes": ("joint", None)},
                bias_metadata={"axes": ("joint",)},
                rngs=rngs,
            )

        self.query, self.key = linear(), linear()

    def __call__(self, tokens: jax.Array, mask: jax.Array) -> jax.Array:
        """Weights float32 [B, L] of tokens [B, L, E]: they sum to 1 over `mask` bool [B, L]."""
        tokens = jnp.where(mask[..., None], tokens, 0.0).astype(jnp.float32)
        count = jnp.maximum(jnp.sum(mask, axis=1, keepdims=True), 1)
        mean = jnp.sum(tokens, axis=1) / count
        query = self.query(mean) * tokens.shape[-1] ** -0.5
        scores = jnp.einsum("be,ble->bl", query, self.key(tokens))
        return jnp.where(mask, jax.nn.softmax(jnp.where(mask, scores, _MASKED)), 0.0)


def clipped_shares(values: jax.Array, mask: jax.Array, *, tail: float = 0.1) -> jax.Array:
    """Weights float32 [B, L] that sum to 1 over `mask`, of values without their extremes.

    Source: the release of MGCA (arXiv:2210.06044), which weighs words by what [CLS] attends to.

    Args:
      values: [B, L], positive where `mask` is.
      mask: bool [B, L]; a row without any gets zeros.
      tail: share of a row's values that is drawn in at each end, to the quantile there.
    """
    values = jnp.where(mask, values.astype(jnp.float32), jnp.nan)
    some = jnp.any(mask, axis=1, keepdims=True)
    values = jnp.where(some, values, 1.0)  # a quantile of nothing is NaN
    low, high = jnp.nanquantile(values, jnp.array([tail, 1 - tail]), axis=1)
    clipped = jnp.where(mask, jnp.clip(values, low[:, None], high[:, None]), 0.0)
    return clipped / jnp.maximum(jnp.sum(clipped, axis=1, keepdims=True), 1e-12)
