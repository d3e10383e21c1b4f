# SPDX-License-Identifier: Apache-2.0
"""A pre-norm transformer layer, shared by image and text transformers."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from medst_jax.array_types import Array
from medst_jax.models.layers.attention import (
    Activation,
    Implementation,
    Mlp,
    SelfAttention,
    layer_norm,
)
from medst_jax.models.layers.dropout import dropout
from medst_jax.models.layers.gated_mlp import GatedMlp


class PreNormLayer(nnx.Module):
    """x + attention(norm(x)), then x + mlp(norm(x)), branches scaled where scales are learned."""

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
        qkv_bias: bool = True,
        gated: bool = False,
        layer_scale: float = 0.0,
        attention: Implementation = "einsum",
        rngs: nnx.Rngs,
    ) -> None:
        """`hidden` is the width of the MLP, `rate` that of dropout.

        `layer_scale` is the first value of a learned factor for each feature of a branch, 0 for
        none (Touvron et al. 2021, arXiv:2103.17239, section 2.1). `attention` is computed by what
        it says, see `attention.attend`.
        """
        self.rate = rate
        self.norm1 = layer_norm(width, epsilon, dtype, rngs)
        self.attn = SelfAttention(
            width,
            heads,
            dropout_rate=rate,
            qkv_bias=qkv_bias,
            kernel_init=kernel_init,
            dtype=dtype,
            implementation=attention,
            rngs=rngs,
        )
        self.norm2 = layer_norm(width, epsilon, dtype, rngs)
        mlp: Any = GatedMlp if gated else Mlp
        self.mlp = mlp(
            width, hidden, activation=activation, kernel_init=kernel_init, dtype=dtype, rngs=rngs
        )
        if layer_scale:
            self.scale1 = _factors(width, layer_scale)
            self.scale2 = _factors(width, layer_scale)

    def __call__(
        self,
        x: jax.Array,
        mask: Array | None = None,
        *,
        rotation: tuple[Array, Array] | None = None,
        keys: jax.Array | None = None,
    ) -> jax.Array:
        """[B, L, D] and bool [B, L] -> [B, L, D].

        `rotation` are rotary positions, see `SelfAttention`; `keys` [B] switch dropout on.
        """
        attended = self.attn(self.norm1(x), mask, rotation=rotation, keys=keys)
        x = x + dropout(self._scaled(attended, "scale1"), self.rate, keys, 1)
        mapped = self.mlp(self.norm2(x))
        return x + dropout(self._scaled(mapped, "scale2"), self.rate, keys, 2)

    def _scaled(self, branch: jax.Array, name: str) -> jax.Array:
        factors = getattr(self, name, None)
        return branch if factors is None else branch * factors[...].astype(branch.dtype)


def _factors(width: int, value: float) -> nnx.Param[jax.Array]:
    return nnx.Param(jnp.full((width,), value, jnp.float32), axes=("embed",))
