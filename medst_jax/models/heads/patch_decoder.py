# SPDX-License-Identifier: Apache-2.0
"""The decoder of a masked autoencoder: from the patches that were seen to the pixels of all."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float, Integer, Key

from medst_jax.array_types import Array
from medst_jax.models.layers.attention import Implementation, layer_norm
from medst_jax.models.layers.pre_norm import PreNormLayer, run_layers
from medst_jax.models.layers.sincos_positions import fixed_positions
from medst_jax.models.layers.stack import Remat, stack_layers
from medst_jax.options import before


@dataclasses.dataclass(frozen=True)
class PatchDecoderOptions:
    """Sizes of the decoder; every value is plain JSON. `attention`: see `attention.attend`."""

    width: int = 768
    depth: int = 4
    heads: int = 6
    mlp_ratio: float = 4.0
    epsilon: float = 1e-6
    dtype: str = "float32"
    remat: Remat = "none"
    unroll: int = 1
    slices: int = 1
    attention: Implementation = dataclasses.field(default="auto", metadata=before("einsum"))


class PatchDecoder(nnx.Module):
    """Encoded patches to pixels.

    Source: He et al. 2022 (arXiv:2111.06377), section 3, with the sizes of MRM
    (arXiv:2301.13155): a learned token stands for every hidden patch.
    """

    def __init__(
        self,
        options: PatchDecoderOptions,
        features: int,
        side: int,
        pixels: int,
        *,
        rngs: nnx.Rngs,
    ) -> None:
        """`features` D of the encoder, `side` patches along an image, `pixels` values of a patch."""
        self.options, self.side = options, side
        linear = functools.partial(
            nnx.Linear,
            kernel_init=nnx.initializers.xavier_uniform(),
            dtype=options.dtype,
            rngs=rngs,
        )
        self.embed = linear(
            features,
            options.width,
            kernel_metadata={"axes": ("embed", "mlp")},
            bias_metadata={"axes": ("mlp",)},
        )
        self.mask_token = nnx.Param(
            nnx.initializers.normal(0.02)(rngs.params(), (1, 1, options.width), jnp.float32),
            axes=(None, None, "embed"),
        )
        self.positions = fixed_positions(side, options.width)
        self.blocks = stack_layers(self._layer, options.depth, rngs)
        self.norm = layer_norm(options.width, options.epsilon, options.dtype, rngs)
        self.head = linear(
            options.width,
            pixels,
            kernel_metadata={"axes": ("embed", "conv_in")},
            bias_metadata={"axes": ("conv_in",)},
        )

    def _layer(self, rngs: nnx.Rngs) -> PreNormLayer:
        options = self.options
        return PreNormLayer(
            options.width,
            options.heads,
            round(options.width * options.mlp_ratio),
            activation="gelu",
            rate=0.0,
            epsilon=options.epsilon,
            kernel_init=nnx.initializers.xavier_uniform(),
            dtype=options.dtype,
            attention=options.attention,
            rngs=rngs,
        )

    def __call__(
        self,
        tokens: Float[Array, "B N D"],
        visible: Integer[Array, "B V"],
        *,
        keys: Key[jax.Array, " B"] | None = None,
    ) -> Float[jax.Array, "B P K"]:
        """Pixels of every patch, those that were seen too.

        Args:
          tokens: [B, 1 + V, D] of the encoder, class token first.
          visible: int32 [B, V], which patches the others are, in row order of the image.
          keys: accepted for the interface shared with encoders; nothing is drawn.

        Returns:
          float32 [B, P, K], patches in row order.
        """
        x = self.embed(jnp.asarray(tokens))
        batch, patches = len(x), self.side**2
        everywhere = jnp.broadcast_to(
            self.mask_token[...].astype(x.dtype), (batch, patches, x.shape[2])
        )
        place = jnp.arange(batch)[:, None]
        x = jnp.concatenate([x[:, :1], everywhere.at[place, visible].set(x[:, 1:])], axis=1)
        x = x + self.positions[...].astype(x.dtype)

        x, _ = run_layers(self.blocks, x, self.options, keys=keys)
        return self.head(self.norm(x))[:, 1:].astype(jnp.float32)
