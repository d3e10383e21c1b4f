# SPDX-License-Identifier: Apache-2.0
"""The image and the text transformer of OpenAI's CLIP."""

import dataclasses
from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float, Integer, Key

from medst_jax.array_types import Array, Mask
from medst_jax.data.images.patches import patchify
from medst_jax.models.encoders.vit import whole_patches
from medst_jax.models.layers.attention import (
    Activation,
    Implementation,
    Mlp,
    SelfAttention,
    layer_norm,
)
from medst_jax.models.layers.grid_positions import Resize, resize_table
from medst_jax.models.layers.stack import Remat, scan_layers, stack_layers
from medst_jax.options import before


@dataclasses.dataclass(frozen=True)
class ClipImageOptions:
    """Sizes of the image transformer; `image_size` and `patch` in pixels, `joint` is E.

    epsilon: of the norms.
    normed: which tokens the last norm is applied to, "all" or the "class" token alone.
    resize: as of `ViTOptions`.
    """

    patch: int = 32
    width: int = 768
    depth: int = 12
    heads: int = 12
    mlp: int = 3072
    image_size: int = 224
    channels: int = 3
    joint: int = 512
    activation: Activation = "quick_gelu"
    dtype: str = "float32"
    remat: Remat = "none"
    unroll: int = 1
    attention: Implementation = dataclasses.field(default="auto", metadata=before("einsum"))
    epsilon: float = dataclasses.field(default=1e-5, metadata=before(1e-5))
    normed: Literal["all", "class"] = dataclasses.field(default="all", metadata=before("all"))
    resize: Literal["never"] | Resize = dataclasses.field(default="never", metadata=before("never"))

    @classmethod
    def vit_b32(cls, **changes: Any) -> "ClipImageOptions":
        """The tower of ViT-B/32, which CheXzero starts from."""
        return cls(**changes)

    @classmethod
    def small(cls, **changes: Any) -> "ClipImageOptions":
        """A tower for 64 px on a CPU: 64 patches, three layers of width 96."""
        sizes = dict(patch=8, width=96, depth=3, heads=3, mlp=192, image_size=64, joint=64)
        return cls(**{**sizes, **changes})


@dataclasses.dataclass(frozen=True)
class ClipTextOptions:
    """Sizes of the text transformer; `max_length` in tokens, `joint` is E.

    epsilon: of the norms.
    end: which token stands for the text: the last one of the mask, that of the highest id (OpenAI:
      the end token was the last of the vocabulary), or the first of the id `end_token`.
    end_token: that id.
    """

    vocabulary_size: int = 49_408
    width: int = 512
    depth: int = 12
    heads: int = 8
    mlp: int = 2048
    max_length: int = 77
    joint: int = 512
    activation: Activation = "quick_gelu"
    dtype: str = "float32"
    remat: Remat = "none"
    unroll: int = 1
    attention: Implementation = dataclasses.field(default="auto", metadata=before("einsum"))
    epsilon: float = dataclasses.field(default=1e-5, metadata=before(1e-5))
    end: Literal["mask", "highest", "token"] = dataclasses.field(
        default="mask", metadata=before("mask")
    )
    end_token: int = dataclasses.field(default=49_407, metadata=before(49_407))

    @classmethod
    def base(cls, vocabulary_size: int, **changes: Any) -> "ClipTextOptions":
        """The text tower beside ViT-B/32 and ViT-B/16."""
        return cls(vocabulary_size, **changes)

    @classmethod
    def small(cls, vocabulary_size: int, **changes: Any) -> "ClipTextOptions":
        """Two layers of width 64 for a CPU."""
        sizes = dict(width=64, depth=2, heads=4, mlp=256, joint=64)
        return cls(vocabulary_size, **{**sizes, **changes})


class ClipLayer(nnx.Module):
    """x + attention(norm(x)), then x + mlp(norm(x)); `causal` in the text transformer."""

    def __init__(
        self, options: ClipImageOptions | ClipTextOptions, causal: bool, *, rngs: nnx.Rngs
    ) -> None:
        width, dtype = options.width, options.dtype
        init = nnx.initializers.normal(width**-0.5 * (2 * options.depth) ** -0.5)
        self.norm1 = layer_norm(width, options.epsilon, dtype, rngs)
        self.attn = SelfAttention(
            width,
            options.heads,
            causal=causal,
            kernel_init=init,
            dtype=dtype,
            implementation=options.attention,
            rngs=rngs,
        )
        self.norm2 = layer_norm(width, options.epsilon, dtype, rngs)
        self.mlp = Mlp(
            width,
            options.mlp,
            activation=options.activation,
            kernel_init=nnx.initializers.normal((2 * width) ** -0.5),
            dtype=dtype,
            rngs=rngs,
        )

    def __call__(self, x: Float[jax.Array, "B L D"]) -> Float[jax.Array, "B L D"]:
        """[B, L, D] -> [B, L, D]."""
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


def _run(layers: ClipLayer, x: jax.Array, options: ClipImageOptions | ClipTextOptions) -> Any:
    def apply(layer: ClipLayer, index: jax.Array, x: jax.Array, rows: None) -> jax.Array:
        return layer(x)

    return scan_layers(layers, apply, x, remat=options.remat, unroll=options.unroll)[0]


class ClipOutput(NamedTuple):
    """What either transformer gives; it reads like a `towers.TowerOutput`.

    tokens: [B, L, D] after the final norm, or, of an image with `normed` "class", before it.
    pooled: float32 [B, D], after the final norm.
    global_: float32 [B, E], not normalised.
    mask: bool [B, L], which tokens of a text there are; None for images.
    """

    tokens: jax.Array
    pooled: jax.Array
    global_: jax.Array
    mask: Array | None = None

    @property
    def patches(self) -> jax.Array:
        """All tokens but the first, [B, L - 1, D]: the patches of an image."""
        return self.tokens[:, 1:]

    @property
    def features(self) -> jax.Array:
        """The class token or the end token, float32 [B, D]."""
        return self.pooled

    @property
    def local(self) -> jax.Array:
        """The patches of an image, the tokens of a text."""
        return self.patches if self.mask is None else self.tokens


class ClipImage(nnx.Module):
    """Images to tokens and a projected class token.

    Source: Radford et al. 2021 (arXiv:2103.00020), as released: a norm before the layers, no
    bias in the patch embedding, a final norm.
    """

    def __init__(self, options: ClipImageOptions, *, rngs: nnx.Rngs) -> None:
        self.options = options
        self.features = options.width
        init = nnx.initializers.normal(options.width**-0.5)
        self.patch_embed = nnx.Linear(
            options.patch**2 * options.channels,
            options.width,
            use_bias=False,
            dtype=options.dtype,
            kernel_metadata={"axes": ("conv_in", "embed")},
            rngs=rngs,
        )
        rows = 1 + (options.image_size // options.patch) ** 2
        self.class_embedding = nnx.Param(
            init(rngs.params(), (options.width,), jnp.float32), axes=("embed",)
        )
        self.positions = nnx.Param(
            init(rngs.params(), (rows, options.width), jnp.float32), axes=("position", "embed")
        )
        self.norm_pre = layer_norm(options.width, options.epsilon, options.dtype, rngs)
        self.blocks = stack_layers(lambda r: ClipLayer(options, False, rngs=r), options.depth, rngs)
        self.norm = layer_norm(options.width, options.epsilon, options.dtype, rngs)
        self.projection = nnx.Param(
            init(rngs.params(), (options.width, options.joint), jnp.float32),
            axes=("embed", "joint"),
        )

    def __call__(
        self,
        images: Float[Array, "B h w c"],
        *,
        keys: Key[jax.Array, " B"] | None = None,
        train: bool = False,
    ) -> ClipOutput:
        """Encode normalised images, float32 [B, image_size, image_size, channels].

        Images of another size are taken where `options.resize` says how, see `ViT`. `keys` and
        `train` belong to the interface shared with other encoders; there is no
        dropout here.
        """
        del keys, train
        options = self.options
        images, grid = whole_patches(images, options, any_size=options.resize != "never")
        x = self.patch_embed(patchify(images, options.patch))
        first = jnp.broadcast_to(self.class_embedding[...], (x.shape[0], 1, options.width))
        x = jnp.concatenate([first.astype(x.dtype), x], axis=1)
        positions, side = self.positions[...], options.image_size // options.patch
        if grid != (side, side):
            assert options.resize != "never"
            positions = resize_table(positions, grid, options.resize, leading=1)
        tokens = _run(self.blocks, self.norm_pre(x + positions.astype(x.dtype)), options)
        if options.normed == "all":
            tokens = self.norm(tokens)
            pooled = tokens[:, 0].astype(jnp.float32)
        else:
            pooled = self.norm(tokens[:, 0]).astype(jnp.float32)
        return ClipOutput(tokens, pooled, pooled @ self.projection[...])


class ClipText(nnx.Module):
    """Tokens to causal hidden states and the projected state at the end token.

    Source: Radford et al. 2021 (arXiv:2103.00020), as released.
    """

    def __init__(self, options: ClipTextOptions, *, rngs: nnx.Rngs) -> None:
        self.options = options
        self.features = options.width
        draw = partial(nnx.initializers.normal, dtype=jnp.float32)
        self.word_embeddings = nnx.Param(
            draw(0.02)(rngs.params(), (options.vocabulary_size, options.width)),
            axes=("vocab", "embed"),
        )
        self.positions = nnx.Param(
            draw(0.01)(rngs.params(), (options.max_length, options.width)),
            axes=("position", "embed"),
        )
        self.blocks = stack_layers(lambda r: ClipLayer(options, True, rngs=r), options.depth, rngs)
        self.norm = layer_norm(options.width, options.epsilon, options.dtype, rngs)
        self.projection = nnx.Param(
            draw(options.width**-0.5)(rngs.params(), (options.width, options.joint)),
            axes=("embed", "joint"),
        )

    def __call__(
        self,
        tokens: Integer[Array, "B L"],
        token_mask: Mask[Array, "B L"],
        *,
        keys: Key[jax.Array, " B"] | None = None,
    ) -> ClipOutput:
        """Encode tokens.

        Args:
          tokens: int32 [B, L], L at most max_length.
          token_mask: bool [B, L], false behind the end token, which is the last true one. No token
            sees what follows it: it only says where the end is, with `options.end` "mask".
          keys: accepted for the interface shared with Bert; there is no dropout here.

        Raises:
          ValueError: the text is longer than max_length.
        """
        del keys
        options, length = self.options, tokens.shape[1]
        if length > options.max_length:
            raise ValueError(f"texts have {length} tokens; this encoder takes {options.max_length}")
        x = self.word_embeddings[...][tokens] + self.positions[...][:length]
        states = self.norm(_run(self.blocks, x.astype(options.dtype), options))
        if options.end == "highest":
            end = jnp.argmax(tokens, axis=1)
        elif options.end == "token":
            end = jnp.argmax(tokens == options.end_token, axis=1)
        else:
            end = jnp.maximum(token_mask.sum(1) - 1, 0)
        pooled = jnp.take_along_axis(states, end[:, None, None], axis=1)[:, 0]
        pooled = pooled.astype(jnp.float32)
        return ClipOutput(states, pooled, pooled @ self.projection[...], token_mask)
