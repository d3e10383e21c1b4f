# SPDX-License-Identifier: Apache-2.0
"""Learned weights of an example's tokens, by how well each agrees with their mean."""

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
