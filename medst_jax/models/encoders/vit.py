# SPDX-License-Identifier: Apache-2.0
"""Vision transformer: pre-norm, learned or rotary positions, a class token or a pool."""

import dataclasses
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float, Integer, Key

from medst_jax.array_types import Array
from medst_jax.data.images.patches import patchify
from medst_jax.models.layers.attention import Activation, Implementation, layer_norm
from medst_jax.models.layers.attention_pool import AttentionPool
from medst_jax.models.layers.dropout import dropout
from medst_jax.models.layers.grid_positions import Resize, resize_table, rotary_tables
from medst_jax.models.layers.pre_norm import PreNormLayer, run_layers
from medst_jax.models.layers.sincos_positions import fixed_positions
from medst_jax.models.layers.stack import Remat, stack_layers
from medst_jax.options import before

_init = nnx.initializers.truncated_normal(0.02)


@dataclasses.dataclass(frozen=True)
class ViTOptions:
    """Sizes of a ViT; every value is plain JSON. `image_size` and `patch` are in pixels.

    pooling: "cls" prepends a class token; "map" has none and pools by a learned query (SigLIP);
      "mean" has none and averages the patches.
    positions: "learned", or "sincos", fixed ones (MAE, MRM), which need the class token.
    slices: see `stack.scan_layers`.
    registers: tokens between class token and patches that stand for nothing (Darcet et al. 2024,
      arXiv:2309.16588); they have no position.
    layer_scale: first value of the branches' learned factors, 0 for none; see `PreNormLayer`.
    gated: the MLP has a gate, see `GatedMlp`.
    qkv_bias: of the attention's inputs.
    rotary: base of rotary positions in place of a table, such as DINOv3's 100; 0 for a table.
    attention: what computes it, see `attention.attend`.
    resize: how the table is fitted to images of another size than `image_size`, see
      `grid_positions`; "never" refuses such images.
    """

    patch: int = 16
    width: int = 768
    depth: int = 12
    heads: int = 12
    mlp_ratio: float = 4.0
    image_size: int = 224
    channels: int = 3
    pooling: Literal["cls", "map", "mean"] = "cls"
    activation: Activation = "gelu"
    dropout: float = 0.0
    epsilon: float = 1e-6
    dtype: str = "float32"
    remat: Remat = "none"
    unroll: int = 1
    slices: int = 1
    positions: Literal["learned", "sincos"] = dataclasses.field(
        default="learned", metadata=before("learned")
    )
    registers: int = dataclasses.field(default=0, metadata=before(0))
    layer_scale: float = dataclasses.field(default=0.0, metadata=before(0.0))
    gated: bool = dataclasses.field(default=False, metadata=before(False))
    qkv_bias: bool = dataclasses.field(default=True, metadata=before(True))
    rotary: float = dataclasses.field(default=0.0, metadata=before(0.0))
    attention: Implementation = dataclasses.field(default="auto", metadata=before("einsum"))
    resize: Literal["never"] | Resize = dataclasses.field(default="never", metadata=before("never"))

    def __post_init__(self) -> None:
        if self.registers and self.pooling != "cls":
            raise ValueError(f"registers need a class token; pooling is {self.pooling!r}")
        if self.positions == "sincos" and self.pooling != "cls":
            raise ValueError(f"fixed positions need pooling 'cls', not {self.pooling!r}")
        if self.positions == "sincos" and self.rotary:
            raise ValueError("positions 'sincos' and rotary are two ways of one thing; choose one")
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

    @property
    def further(self) -> tuple[str, ...]:
        """The options from `registers` on that are set: what encoders built on a plain ViT lack."""
        names = ("registers", "layer_scale", "gated", "qkv_bias", "rotary", "resize")
        plain = {f.name: f.default for f in dataclasses.fields(self)}
        return tuple(name for name in names if getattr(self, name) != plain[name])

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

    tokens: [B, 1 + P, D] after the final norm, in the compute dtype, class token first, then
      registers if there are any; with pooling "map" or "mean" there is no class token and they are
      [B, P, D].
    pooled: the class token, the attention pool's result or the mean, float32 [B, D].
    patches: the patch tokens in row order, [B, P, D].
    attention: how the class token shares its attention in the last layer among all tokens, of which
      these are the patches, mean of the heads: float32 [B, P]; None if it was not asked for.
    """

    tokens: jax.Array
    pooled: jax.Array
    patches: jax.Array
    attention: jax.Array | None = None


class ViT(nnx.Module):
    """Images to tokens.

    Source: Dosovitskiy et al. 2021 (arXiv:2010.11929), as implemented by timm; further options as
    in DINOv2 (arXiv:2304.07193), DINOv3 (arXiv:2508.10104) and SigLIP (arXiv:2303.15343).
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
        if options.positions == "sincos":
            self.pos_embed = fixed_positions(options.image_size // options.patch, options.width)
        elif not options.rotary:
            self.pos_embed = nnx.Param(
                _init(rngs.params(), (1, positions, options.width), jnp.float32),
                axes=(None, "position", "embed"),
            )
        if options.registers:
            self.register_tokens = nnx.Param(
                _init(rngs.params(), (1, options.registers, options.width), jnp.float32),
                axes=(None, None, "embed"),
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
        visible: Integer[Array, "B V"] | None = None,
        keys: Key[jax.Array, " B"] | None = None,
        train: bool = False,
        attention: bool = False,
    ) -> ViTOutput:
        """Encode normalised images.

        Args:
          images: float32 [B, image_size, image_size, channels]; of any size with rotary positions
            or where `options.resize` says how; what no whole patch covers is cut off then.
          visible: int32 [B, V], the patches to encode, in row order of the image, P becoming V; None
            encodes all. Needs a class token.
          keys: [B] typed PRNG keys, one per example, for dropout; None switches it off.
          train: accepted for the interface shared with ResNet; a ViT has no batch statistics.
          attention: whether to give that of the class token, at the price of every layer's
            activations. Dropout of attention weights in the last layer is not repeated for it.

        Raises:
          ValueError: the images have another size or number of channels, or there is no class
            token whose attention could be given.
        """
        del train
        options = self.options
        if attention and (options.rotary or options.pooling != "cls"):
            raise ValueError(
                "attention is read of a class token and learned or fixed positions only"
            )
        if visible is not None and (options.rotary or options.pooling != "cls"):
            raise ValueError("a part of the patches is encoded with a class token and a table only")
        images, grid = whole_patches(
            images, options, any_size=bool(options.rotary) or options.resize != "never"
        )
        x = self.patch_embed(patchify(images, options.patch))
        leading = 1 if options.pooling == "cls" else 0
        if leading:
            first = jnp.broadcast_to(self.cls_token[...], (x.shape[0], 1, options.width))
            x = jnp.concatenate([first.astype(x.dtype), x], axis=1)
        rotation = None
        if options.rotary:
            size = options.width // options.heads
            rotation = rotary_tables(grid, size, options.rotary, leading + options.registers)
        else:
            x = x + self._positions(grid, leading).astype(x.dtype)
        if visible is not None:
            # Before the layers: what is hidden costs nothing.
            seen = jnp.concatenate([jnp.zeros_like(visible[:, :1]), visible + 1], axis=1)
            x = jnp.take_along_axis(x, seen[..., None], axis=1)
        x = dropout(x, options.dropout, keys, 0)
        if options.registers:
            tokens = self.register_tokens[...].astype(x.dtype)
            tokens = jnp.broadcast_to(tokens, (x.shape[0], *tokens.shape[1:]))
            x = jnp.concatenate([x[:, :1], tokens, x[:, 1:]], axis=1)

        before = x
        x, outputs = run_layers(
            self.blocks, x, options, rotation=rotation, keys=keys, every=attention
        )
        if outputs is not None and options.depth > 1:
            before = outputs[-2]
        x = self.norm(x)
        if options.pooling == "map":
            return ViTOutput(x, self.attn_pool(x).astype(jnp.float32), x)
        if options.pooling == "mean":
            return ViTOutput(x, x.astype(jnp.float32).mean(1), x)
        shares = self._class_attention(before) if attention else None
        patches = x[:, 1 + options.registers :]
        return ViTOutput(x, x[:, 0].astype(jnp.float32), patches, shares)

    def _class_attention(self, x: jax.Array) -> jax.Array:
        """The attention of `ViTOutput`, of the last layer's input [B, 1 + P, D]."""
        graphdef, parameters = nnx.split(self.blocks)
        last = nnx.merge(graphdef, jax.tree.map(lambda value: value[-1], parameters))
        return jnp.mean(last.attn.first_map(last.norm1(x)), axis=1)[:, 1 + self.options.registers :]

    def _positions(self, grid: tuple[int, int], leading: int) -> jax.Array:
        """The table [1, leading + P, D] for a grid of patches."""
        options, table = self.options, self.pos_embed[...]
        side = options.image_size // options.patch
        if grid == (side, side):
            return table
        assert options.resize != "never"
        return resize_table(table[0], grid, options.resize, leading)[None]


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
        qkv_bias=options.qkv_bias,
        gated=options.gated,
        layer_scale=options.layer_scale,
        attention=options.attention,
        rngs=rngs,
    )


def whole_patches(images: Array, options: Any, *, any_size: bool) -> tuple[Array, tuple[int, int]]:
    """Images cut to whole patches, and the rows and columns of these.

    Args:
      images: [B, h, w, c].
      options: with image_size, patch and channels.
      any_size: whether images of another size are taken.

    Raises:
      ValueError: another size or number of channels than those taken.
    """
    expected = (options.image_size, options.image_size, options.channels)
    height, width = (side // options.patch for side in images.shape[1:3])
    fits = any_size and images.shape[3] == options.channels and height and width
    if images.shape[1:] != expected and not fits:
        size = f"any height and width and {options.channels} channels" if any_size else expected
        raise ValueError(f"images are {images.shape[1:]}; this encoder takes {size}")
    if (height * options.patch, width * options.patch) != images.shape[1:3]:
        images = images[:, : height * options.patch, : width * options.patch]
    return images, (height, width)
