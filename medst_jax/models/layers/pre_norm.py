# SPDX-License-Identifier: Apache-2.0
"""A pre-norm transformer layer, shared by image and text transformers."""

import jax
from flax import nnx

from medst_jax.array_types import Array
from medst_jax.models.layers.attention import Activation, Mlp, SelfAttention, layer_norm
from medst_jax.models.layers.dropout import dropout


class PreNormLayer(nnx.Module):
    """x + attention(norm(x)), then x + mlp(norm(x))."""

    def __init__(
        self,
        width: int,
        heads: int,
        hidden: int,
        *,
        activation: Activation,
        rate: float,
        epsilon: float,
        kernel_init: nnx.Initializer,
        dtype: str,
        rngs: nnx.Rngs,
    ) -> None:
        """`hidden` is the width of the MLP, `rate` that of dropout."""
        self.rate = rate
        self.norm1 = layer_norm(width, epsilon, dtype, rngs)
        self.attn = SelfAttention(
            width, heads, dropout_rate=rate, kernel_init=kernel_init, dtype=dtype, rngs=rngs
        )
        self.norm2 = layer_norm(width, epsilon, dtype, rngs)
        self.mlp = Mlp(
            width, hidden, activation=activation, kernel_init=kernel_init, dtype=dtype, rngs=rngs
        )

    def __call__(
        self, x: jax.Array, mask: Array | None = None, *, keys: jax.Array | None = None
    ) -> jax.Array:
        """[B, L, D] and bool [B, L] -> [B, L, D]; `keys` [B] switch dropout on."""
        x = x + dropout(self.attn(self.norm1(x), mask, keys=keys), self.rate, keys, 1)
        return x + dropout(self.mlp(self.norm2(x)), self.rate, keys, 2)
