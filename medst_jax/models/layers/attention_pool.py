# SPDX-License-Identifier: Apache-2.0
"""Attention pooling: one learned query attends over all tokens (MAP head)."""

import jax
import jax.numpy as jnp
from flax import nnx

from medst_jax.array_types import Array
from medst_jax.models.layers.attention import Activation, Mlp, attend, layer_norm


class AttentionPool(nnx.Module):
    """y = attention(latent, x), then y + mlp(norm(y)).

    Source: Zhai et al. 2022 (arXiv:2106.04560), section 3.2, as in SigLIP and, under the same
    names, in timm.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        hidden: int,
        *,
        activation: Activation,
        epsilon: float,
        kernel_init: nnx.Initializer,
        dtype: str,
        rngs: nnx.Rngs,
    ) -> None:
        """`width` D must be divisible by `heads`; `hidden` is the width of the MLP."""
        if width % heads:
            raise ValueError(f"width {width} is not divisible by heads {heads}")
        size = width // heads

        def project(shape: tuple[int, ...], axes: tuple[str | None, ...]) -> nnx.LinearGeneral:
            return nnx.LinearGeneral(
                width,
                shape,
                kernel_init=kernel_init,
                dtype=dtype,
                kernel_metadata={"axes": ("embed", *axes)},
                bias_metadata={"axes": axes},
                rngs=rngs,
            )

        self.latent = nnx.Param(
            kernel_init(rngs.params(), (1, 1, width), jnp.float32), axes=(None, None, "embed")
        )
        self.q = project((heads, size), ("heads", None))
        self.kv = project((2, heads, size), (None, "heads", None))
        self.proj = nnx.LinearGeneral(
            (heads, size),
            width,
            axis=(-2, -1),
            kernel_init=kernel_init,
            dtype=dtype,
            kernel_metadata={"axes": ("heads", None, "embed")},
            bias_metadata={"axes": ("embed",)},
            rngs=rngs,
        )
        self.norm = layer_norm(width, epsilon, dtype, rngs)
        self.mlp = Mlp(
            width, hidden, activation=activation, kernel_init=kernel_init, dtype=dtype, rngs=rngs
        )

    def __call__(self, x: jax.Array, mask: Array | None = None) -> jax.Array:
        """Tokens [B, L, D] and bool [B, L], true where there is one, to [B, D]."""
        query = jnp.broadcast_to(self.q(self.latent[...]), (x.shape[0], 1, *self.q.out_features))
        key, value = jnp.moveaxis(self.kv(x), 2, 0)
        y = self.proj(attend(query, key, value, mask))[:, 0]
        return y + self.mlp(self.norm(y))
