# SPDX-License-Identifier: Apache-2.0
"""Tokens of a text that look at the patches of an image."""

import jax
import jax.numpy as jnp
from flax import nnx

from medst_jax.models.layers.attention import Mlp, layer_norm
from medst_jax.models.layers.dropout import dropout

_init = nnx.initializers.normal(0.02)


class CrossAttention(nnx.Module):
    """Pre-norm layer: x + attention(norm(x), patches), then x + mlp(norm(x)).

    Source: Vaswani et al. 2017 (arXiv:1706.03762), the decoder's second attention.
    """

    def __init__(
        self,
        width: int,
        source: int,
        heads: int,
        hidden: int,
        *,
        rate: float = 0.0,
        dtype: str = "float32",
        rngs: nnx.Rngs,
    ) -> None:
        """`width` of the tokens, `source` of the patches, `hidden` of the MLP; `rate` of dropout.

        Raises ValueError when `heads` does not divide `width`.
        """
        if width % heads:
            raise ValueError(f"width {width} is not divisible by heads {heads}")
        size = width // heads
        self.scale, self.rate = size**-0.5, rate

        def project(features: int) -> nnx.LinearGeneral:
            return nnx.LinearGeneral(
                features,
                (heads, size),
                kernel_init=_init,
                dtype=dtype,
                kernel_metadata={"axes": ("embed", "heads", None)},
                bias_metadata={"axes": ("heads", None)},
                rngs=rngs,
            )

        self.norm1 = layer_norm(width, 1e-6, dtype, rngs)
        self.query, self.key, self.value = project(width), project(source), project(source)
        self.out = nnx.LinearGeneral(
            (heads, size),
            width,
            axis=(-2, -1),
            kernel_init=_init,
            dtype=dtype,
            kernel_metadata={"axes": ("heads", None, "embed")},
            bias_metadata={"axes": ("embed",)},
            rngs=rngs,
        )
        self.norm2 = layer_norm(width, 1e-6, dtype, rngs)
        self.mlp = Mlp(width, hidden, kernel_init=_init, dtype=dtype, rngs=rngs)

    def __call__(
        self, x: jax.Array, patches: jax.Array, *, keys: jax.Array | None = None
    ) -> jax.Array:
        """[B, L, D], [B, P, S] -> [B, L, D]; `keys` [B] switch dropout on."""
        query = self.query(self.norm1(x)) * self.scale
        scores = jnp.einsum("blhd,bphd->bhlp", query, self.key(patches)).astype(jnp.float32)
        weights = jax.nn.softmax(scores).astype(x.dtype)
        seen = self.out(jnp.einsum("bhlp,bphd->blhd", weights, self.value(patches)))
        x = x + dropout(seen, self.rate, keys, 1)
        return x + dropout(self.mlp(self.norm2(x)), self.rate, keys, 2)
