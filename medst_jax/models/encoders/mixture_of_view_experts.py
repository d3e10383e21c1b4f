# SPDX-License-Identifier: Apache-2.0
"""A ViT over a frontal and a lateral image: attention is shared, each view has its own MLP."""

from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Bool, Float, Key

from medst_jax.array_types import Array
from medst_jax.data.images.patches import patchify
from medst_jax.models.encoders.vit import ViTOptions
from medst_jax.models.layers.attention import Mlp, SelfAttention, layer_norm
from medst_jax.models.layers.dropout import dropout, fold_keys
from medst_jax.models.layers.stack import scan_layers, stack_layers

View = Literal["frontal", "lateral"]
_init = nnx.initializers.truncated_normal(0.02)


class ViewExpertsOutput(NamedTuple):
    """What view experts give.

    tokens: after the final norm, in the compute dtype: class token, frontal, lateral patches;
      [B, 1 + 2P, D] of two views, [B, 1 + P, D] of one.
    pooled: the class token, or of a hybrid the mean over the patches, float32 [B, D].
    """

    tokens: jax.Array
    pooled: jax.Array

    @property
    def patches(self) -> jax.Array:
        """The patch tokens, frontal first, [B, 2P, D] or [B, P, D]."""
        return self.tokens[:, 1:]


class ViewExpertsLayer(nnx.Module):
    """Shared pre-norm attention, then the norm and MLP of each token's view."""

    def __init__(self, options: ViTOptions, *, rngs: nnx.Rngs) -> None:
        width, dtype = options.width, options.dtype
        hidden = round(width * options.mlp_ratio)
        self.dropout = options.dropout
        self.norm1 = layer_norm(width, options.epsilon, dtype, rngs)
        self.attn = SelfAttention(
            width,
            options.heads,
            dropout_rate=options.dropout,
            kernel_init=_init,
            dtype=dtype,
            implementation=options.attention,
            rngs=rngs,
        )
        self.norm2 = layer_norm(width, options.epsilon, dtype, rngs)
        self.mlp = Mlp(width, hidden, kernel_init=_init, dtype=dtype, rngs=rngs)
        self.norm2_l = layer_norm(width, options.epsilon, dtype, rngs)
        self.mlp_l = Mlp(width, hidden, kernel_init=_init, dtype=dtype, rngs=rngs)

    def __call__(
        self,
        x: Float[jax.Array, "B L D"],
        mask: Bool[jax.Array, "B L"] | None,
        frontal: int,
        *,
        keys: Key[jax.Array, " B"] | None = None,
    ) -> Float[jax.Array, "B L D"]:
        """[B, L, D] -> [B, L, D], of which the first `frontal` tokens take the frontal expert."""
        x = x + dropout(self.attn(self.norm1(x), mask, keys=keys), self.dropout, keys, 1)
        ahead, behind = x[:, :frontal], x[:, frontal:]
        parts = [self.mlp(self.norm2(ahead)), self.mlp_l(self.norm2_l(behind))]
        return x + dropout(jnp.concatenate(parts, axis=1), self.dropout, keys, 2)


class MixtureOfViewExperts(nnx.Module):
    """One or two views of a study to tokens.

    Both views share patch embedding, positions and attention; there is no embedding of the
    view. The tokens of an absent lateral image are not attended to, but stay in the output.

    Source: Yang et al. 2024, "Unlocking the Power of Spatial and Temporal Information in
    Medical Multimodal Pre-training" (Med-ST, arXiv:2405.19654), as in its release.
    """

    def __init__(self, options: ViTOptions, *, rngs: nnx.Rngs) -> None:
        if options.pooling != "cls":
            raise ValueError(f"pooling is {options.pooling!r}; view experts have a class token")
        if options.further:
            raise ValueError(f"view experts know no {' and no '.join(options.further)}")
        self.options = options
        self.features = options.width
        self.patch_embed = self._make_patch_embed(options, rngs)
        self.cls_token = nnx.Param(
            _init(rngs.params(), (1, 1, options.width), jnp.float32), axes=(None, None, "embed")
        )
        shape = (1, 1 + options.patches, options.width)
        self.pos_embed = nnx.Param(
            _init(rngs.params(), shape, jnp.float32), axes=(None, "position", "embed")
        )
        self.blocks = stack_layers(lambda r: ViewExpertsLayer(options, rngs=r), options.depth, rngs)
        self.norm = layer_norm(options.width, options.epsilon, options.dtype, rngs)

    def __call__(
        self,
        frontal: Float[Array, "B h w c"],
        lateral: Float[Array, "B h w c"] | None = None,
        has_lateral: Bool[Array, " B"] | None = None,
        *,
        view: View = "frontal",
        keys: Key[jax.Array, " B"] | None = None,
        train: bool = False,
    ) -> ViewExpertsOutput:
        """Encode normalised images.

        Args:
          frontal: float32 [B, image_size, image_size, channels].
          lateral: the same of the lateral view; None encodes one view alone.
          has_lateral: bool [B], false where `lateral` is absent; None for all present.
          view: which expert encodes an image that comes alone.
          keys: [B] typed PRNG keys, one per example, for dropout; None switches it off.
          train: accepted for the interface shared with ResNet; of use to the hybrid alone.

        Raises:
          ValueError: the images have another size or number of channels.
        """
        x, beside = self._embed_views(frontal, lateral, has_lateral, train)
        first = jnp.broadcast_to(self.cls_token[...], (x.shape[0], 1, x.shape[-1]))
        first = (first + self.pos_embed[:, :1]).astype(x.dtype)
        x = jnp.concatenate([first, x], axis=1)
        single = x.shape[1]
        count, mask = (single if view == "frontal" else 0), None
        if beside is not None:
            x = jnp.concatenate([x, beside], axis=1)
            count = single
            if has_lateral is not None:
                mask = (jnp.arange(x.shape[1]) < single) | has_lateral[:, None]
        x = dropout(x, self.options.dropout, keys, 0)

        def apply(layer: ViewExpertsLayer, index: jax.Array, x: jax.Array, rows: Any) -> jax.Array:
            mask, keys = rows
            return layer(x, mask, count, keys=fold_keys(keys, index + 1))

        options = self.options
        x, _ = scan_layers(
            self.blocks,
            apply,
            x,
            (mask, keys),
            remat=options.remat,
            unroll=options.unroll,
            slices=options.slices,
        )
        x = self.norm(x)
        return ViewExpertsOutput(x, self._pool(x, mask))

    def _make_patch_embed(self, options: Any, rngs: nnx.Rngs) -> nnx.Module:
        return nnx.Linear(
            options.patch**2 * options.channels,
            options.width,
            dtype=options.dtype,
            kernel_metadata={"axes": ("conv_in", "embed")},
            bias_metadata={"axes": ("embed",)},
            rngs=rngs,
        )

    def _embed_views(
        self,
        frontal: Array,
        lateral: Array | None,
        has_lateral: Array | None,
        train: bool,
    ) -> tuple[jax.Array, jax.Array | None]:
        """Patch tokens with their positions, [B, P, D], of each view."""
        del has_lateral, train  # one image's patches do not depend on another image
        return self._embed(frontal), None if lateral is None else self._embed(lateral)

    def _pool(self, tokens: jax.Array, mask: jax.Array | None) -> jax.Array:
        del mask
        return tokens[:, 0].astype(jnp.float32)

    def _embed(self, images: Array) -> jax.Array:
        self._check_size(images)
        x = self.patch_embed(patchify(images, self.options.patch))
        return self._place(x)

    def _place(self, x: jax.Array) -> jax.Array:
        return x + self.pos_embed[:, 1:].astype(x.dtype)

    def _check_size(self, images: Array) -> None:
        options = self.options
        expected = (options.image_size, options.image_size, options.channels)
        if images.shape[1:] != expected:
            raise ValueError(f"images are {images.shape[1:]}; this encoder takes {expected}")
