# SPDX-License-Identifier: Apache-2.0
"""Tokens of a text that look at the patches of an image."""

import jax
from flax import nnx

from medst_jax.array_types import Array
from medst_jax.models.layers.attention import Mlp, attend, attention_scores, layer_norm
from medst_jax.models.layers.dropout import dropout

_init = nnx.initializers.normal(0.02)


class CrossProjections(nnx.Module):
    """Multi-head attention of tokens over patches: its four projections, no norm, no residual.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), the decoder's second attention.
    """

    def __init__(
        self, width: int, source: int, heads: int, *, dtype: str = "float32", rngs: nnx.Rngs
    ) -> None:
        """`width` of the tokens, `source` of the patches.

        Raises ValueError when `heads` does not divide `width`.
        """
        if width % heads:
            raise ValueError(f"width {width} is not divisible by heads {heads}")
        size = width // heads

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

    def read(
        self,
        x: jax.Array,
        patches: jax.Array,
        mask: Array | None = None,
        *,
        rate: float = 0.0,
        keys: jax.Array | None = None,
    ) -> jax.Array:
        """What each token reads off the patches it attends to: [B, L, D], [B, P, S] -> [B, L, D].

        Args:
          x: [B, L, D].
          patches: [B, P, S].
          mask: bool [B, P], true where a patch may be attended to; None for all.
          rate: of dropout of the attention weights (site 0).
          keys: [B] PRNG keys of dropout, or None.
        """
        query, key, value = self.query(x), self.key(patches), self.value(patches)
        return self.out(attend(query, key, value, mask, rate=rate, keys=keys))

    def maps(self, x: jax.Array, patches: jax.Array, mask: Array | None = None) -> jax.Array:
        """Which patches each token attends to: weights [B, H, L, P] for inputs as of `read`."""
        return jax.nn.softmax(attention_scores(self.query(x), self.key(patches), mask))


class CrossAttention(CrossProjections):
    """Pre-norm layer: x + attention(norm(x), patches), then x + mlp(norm(x))."""

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
        """As `CrossProjections`; `hidden` is the width of the MLP, `rate` that of dropout."""
        self.rate = rate
        self.norm1 = layer_norm(width, 1e-6, dtype, rngs)
        super().__init__(width, source, heads, dtype=dtype, rngs=rngs)
        self.norm2 = layer_norm(width, 1e-6, dtype, rngs)
        self.mlp = Mlp(width, hidden, kernel_init=_init, dtype=dtype, rngs=rngs)

    def __call__(
        self, x: jax.Array, patches: jax.Array, *, keys: jax.Array | None = None
    ) -> jax.Array:
        """[B, L, D], [B, P, S] -> [B, L, D]; `keys` [B] switch dropout on."""
        x = x + dropout(self.read(self.norm1(x), patches), self.rate, keys, 1)
        return x + dropout(self.mlp(self.norm2(x)), self.rate, keys, 2)
