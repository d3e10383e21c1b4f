# SPDX-License-Identifier: Apache-2.0
"""Vision transformer with a class token and learned positions (pre-norm, timm's arithmetic)."""

import dataclasses
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float, Key

from medst_jax.array_types import Array
from medst_jax.models.layers.attention import Activation, layer_norm
from medst_jax.models.layers.attention_pool import AttentionPool
from medst_jax.models.layers.dropout import dropout, fold_keys
from medst_jax.models.layers.pre_norm import PreNormLayer
from medst_jax.models.layers.stack import Remat, scan_layers, stack_layers

_init = nnx.initializers.truncated_normal(0.02)


@dataclasses.dataclass(frozen=True)
class ViTOptions:
    """Sizes of a ViT; every value is plain JSON. `image_size` and `patch` are in pixels.

    pooling: "cls" prepends a class token; "map" has none and pools by a learned query (SigLIP).
    slices: see `stack.scan_layers`.
    """

    patch: int = 16
    width: int = 768
    depth: int = 12
    heads: int = 12
    mlp_ratio: float = 4.0
    image_size: int = 224
    channels: int = 3
    pooling: Literal["cls", "map"] = "cls"
    activation: Activation = "gelu"
    dropout: float = 0.0
    epsilon: float = 1e-6
    dtype: str = "float32"
    remat: Remat = "none"
    unroll: int = 1
    slices: int = 1

    def __post_init__(self) -> None:
        if self.image_size % self.patch:
            raise ValueError(f"image_size {self.image_size} is not divisible by patch {self.patch}")

    @property
    def patches(self) -> int:
        """Number of patches P of one image."""
        return (self.image_size // self.patch) ** 2

    @property
    def hidden(self) -> int:
        """Width of the MLP."""
        return round(self.width * self.mlp_ratio)

    @classmethod
    def vit_b16(cls, **changes: Any) -> "ViTOptions":
        """ViT-B/16 at 224 px: 86 million parameters."""
        return cls(**changes)

    @classmethod
    def small(cls, **changes: Any) -> "ViTOptions":
        """A ViT for 64 px on a CPU: 64 patches, three layers of width 96."""
        sizes = dict(patch=8, width=96, depth=3, heads=3, mlp_ratio=2.0, image_size=64)
        return cls(**{**sizes, **changes})


class ViTOutput(NamedTuple):
    """What a ViT gives.

    tokens: [B, 1 + P, D] after the final norm, in the compute dtype, class token first; with
      pooling "map" there is no class token and they are [B, P, D].
    pooled: the class token or the attention pool's result, float32 [B, D].
    patches: the patch tokens in row order, [B, P, D].
    """

    tokens: jax.Array
    pooled: jax.Array
    patches: jax.Array


class ViT(nnx.Module):
    """Images to tokens.

    Source: Dosovitskiy et al. 2021 (arXiv:2010.11929), as implemented by timm.
    """

    def __init__(self, options: ViTOptions, *, rngs: nnx.Rngs) -> None:
        self.options = options
        self.features = options.width
        pixels = options.patch**2 * options.channels
        self.patch_embed = nnx.Linear(
            pixels,
            options.width,
            dtype=options.dtype,
            kernel_metadata={"axes": ("conv_in", "embed")},
            bias_metadata={"axes": ("embed",)},
            rngs=rngs,
        )
        positions = options.patches
        if options.pooling == "cls":
            positions += 1
            self.cls_token = nnx.Param(
                _init(rngs.params(), (1, 1, options.width), jnp.float32),
                axes=(None, None, "embed"),
            )
        self.pos_embed = nnx.Param(
            _init(rngs.params(), (1, positions, options.width), jnp.float32),
            axes=(None, "position", "embed"),
        )
        self.blocks = stack_layers(lambda r: _layer(options, r), options.depth, rngs)
        self.norm = layer_norm(options.width, options.epsilon, options.dtype, rngs)
        if options.pooling == "map":
            self.attn_pool = AttentionPool(
                options.width,
                options.heads,
                options.hidden,
                activation=options.activation,
                epsilon=options.epsilon,
                kernel_init=_init,
                dtype=options.dtype,
                rngs=rngs,
            )

    def __call__(
        self,
        images: Float[Array, "B h w c"],
        *,
        keys: Key[jax.Array, " B"] | None = None,
        train: bool = False,
    ) -> ViTOutput:
        """Encode normalised images.

        Args:
          images: float32 [B, image_size, image_size, channels].
          keys: [B] typed PRNG keys, one per example, for dropout; None switches it off.
          train: accepted for the interface shared with ResNet; a ViT has no batch statistics.

        Raises:
          ValueError: the images have another size or number of channels.
        """
        del train
        options = self.options
        expected = (options.image_size, options.image_size, options.channels)
        if images.shape[1:] != expected:
            raise ValueError(f"images are {images.shape[1:]}; this ViT takes {expected}")
        x = self.patch_embed(patchify(images, options.patch))
        if options.pooling == "cls":
            first = jnp.broadcast_to(self.cls_token[...], (x.shape[0], 1, options.width))
            x = jnp.concatenate([first.astype(x.dtype), x], axis=1)
        x = dropout(x + self.pos_embed[...].astype(x.dtype), options.dropout, keys, 0)

        def apply(
            layer: PreNormLayer, index: jax.Array, x: jax.Array, keys: jax.Array | None
        ) -> jax.Array:
            return layer(x, keys=fold_keys(keys, index + 1))

        x, _ = scan_layers(
            self.blocks,
            apply,
            x,
            keys,
            remat=options.remat,
            unroll=options.unroll,
            slices=options.slices,
        )
        x = self.norm(x)
        if options.pooling == "map":
            return ViTOutput(x, self.attn_pool(x).astype(jnp.float32), x)
        return ViTOutput(x, x[:, 0].astype(jnp.float32), x[:, 1:])


def _layer(options: ViTOptions, rngs: nnx.Rngs) -> PreNormLayer:
    return PreNormLayer(
        options.width,
        options.heads,
        options.hidden,
        activation=options.activation,
        rate=options.dropout,
        epsilon=options.epsilon,
        kernel_init=_init,
        dtype=options.dtype,
        rngs=rngs,
    )


def patchify(images: Array, patch: int) -> jax.Array:
    """Cut images [B, h, w, c] into rows of pixels [B, P, patch * patch * c], in row order."""
    batch, height, width, channels = images.shape
    x = jnp.asarray(images)
    x = x.reshape(batch, height // patch, patch, width // patch, patch, channels)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(batch, -1, patch * patch * channels)
