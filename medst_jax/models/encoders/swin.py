# SPDX-License-Identifier: Apache-2.0
"""Swin transformer: attention in shifted windows, a pyramid of four stages."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float, Key

from medst_jax.array_types import Array
from medst_jax.data.images.patches import patchify
from medst_jax.models.layers.attention import Mlp, layer_norm
from medst_jax.models.layers.dropout import drop_path, dropout, fold_keys
from medst_jax.models.layers.window_attention import WindowAttention

_init = nnx.initializers.truncated_normal(0.02)


@dataclasses.dataclass(frozen=True)
class SwinOptions:
    """Sizes of a Swin transformer; every value is plain JSON.

    Attributes:
      image_size: side of the images, pixels.
      patch: side of a patch, pixels.
      width: features of the first stage; each further one has twice as many.
      depths: layers of each stage.
      heads: attention heads of each stage.
      window: side of a window, in tokens.
      mlp_ratio: inner width of the MLP over the stage's width.
      channels: of the images.
      dropout: of tokens, attention and layers.
      path_rate: skipped branches of the last layer; rises linearly from 0.
      epsilon: of the norms.
      dtype: of the arithmetic.
    """

    image_size: int = 224
    patch: int = 4
    width: int = 96
    depths: tuple[int, ...] = (2, 2, 6, 2)
    heads: tuple[int, ...] = (3, 6, 12, 24)
    window: int = 7
    mlp_ratio: float = 4.0
    channels: int = 3
    dropout: float = 0.0
    path_rate: float = 0.1
    epsilon: float = 1e-5
    dtype: str = "float32"

    def __post_init__(self) -> None:
        if len(self.depths) != len(self.heads):
            raise ValueError(f"depths {self.depths} and heads {self.heads} need one value a stage")
        for stage in range(len(self.depths)):
            side, rest = divmod(self.image_size, self.patch * 2**stage)
            if rest or (side > self.window and side % self.window):
                raise ValueError(
                    f"image_size {self.image_size} with patch {self.patch}: stage {stage + 1} is "
                    f"{side} tokens wide, which windows of {self.window} do not divide"
                )

    @classmethod
    def tiny(cls, **changes: Any) -> "SwinOptions":
        """Swin-T at 224 px: 28 million parameters."""
        return cls(**changes)

    @classmethod
    def small(cls, **changes: Any) -> "SwinOptions":
        """For 64 px on a CPU: two stages of widths 48 and 96."""
        sizes: dict[str, Any] = dict(
            image_size=64, width=48, depths=(2, 2), heads=(2, 4), window=4, mlp_ratio=2.0
        )
        return cls(**{**sizes, **changes})


class SwinOutput(NamedTuple):
    """stages: each stage's map [B, h, w, D_stage]; grid: the last one after the final norm."""

    stages: tuple[jax.Array, ...]
    grid: jax.Array

    @property
    def pooled(self) -> jax.Array:
        """Mean over the grid, float32 [B, D]."""
        return self.grid.astype(jnp.float32).mean((1, 2))

    @property
    def patches(self) -> jax.Array:
        """The grid in row order, [B, P, D]."""
        return self.grid.reshape(self.grid.shape[0], -1, self.grid.shape[-1])


class SwinLayer(nnx.Module):
    """x + window attention(norm(x)), then x + mlp(norm(x))."""

    def __init__(
        self,
        options: SwinOptions,
        width: int,
        heads: int,
        window: int,
        shift: int,
        path_rate: float,
        *,
        rngs: nnx.Rngs,
    ) -> None:
        dtype = options.dtype
        self.shift = shift
        self.dropout = options.dropout
        self.path_rate = path_rate
        self.norm1 = layer_norm(width, options.epsilon, dtype, rngs)
        self.attn = WindowAttention(
            width, heads, window, dropout_rate=options.dropout, dtype=dtype, rngs=rngs
        )
        self.norm2 = layer_norm(width, options.epsilon, dtype, rngs)
        hidden = round(width * options.mlp_ratio)
        self.mlp = Mlp(width, hidden, kernel_init=_init, dtype=dtype, rngs=rngs)

    def __call__(
        self, x: Float[jax.Array, "B h w D"], *, keys: Key[jax.Array, " B"] | None = None
    ) -> Float[jax.Array, "B h w D"]:
        """[B, h, w, D] -> [B, h, w, D]."""
        attended = dropout(self.attn(self.norm1(x), self.shift, keys=keys), self.dropout, keys, 1)
        x = x + drop_path(attended, self.path_rate, keys, 2)
        mapped = dropout(self.mlp(self.norm2(x)), self.dropout, keys, 3)
        return x + drop_path(mapped, self.path_rate, keys, 4)


class PatchMerging(nnx.Module):
    """Each 2 x 2 tokens become one of twice the width."""

    def __init__(self, options: SwinOptions, width: int, *, rngs: nnx.Rngs) -> None:
        self.norm = layer_norm(4 * width, options.epsilon, options.dtype, rngs)
        self.reduction = nnx.Linear(
            4 * width,
            2 * width,
            use_bias=False,
            kernel_init=_init,
            dtype=options.dtype,
            kernel_metadata={"axes": ("mlp", "embed")},
            rngs=rngs,
        )

    def __call__(self, x: Float[jax.Array, "B h w D"]) -> Float[jax.Array, "B h2 w2 D2"]:
        """[B, h, w, D] -> [B, h / 2, w / 2, 2 D]."""
        corners = [x[:, i::2, j::2] for j in (0, 1) for i in (0, 1)]
        return self.reduction(self.norm(jnp.concatenate(corners, axis=-1)))


class Swin(nnx.Module):
    """Images to a pyramid of maps.

    Source: Liu et al. 2021 (arXiv:2103.14030), as implemented by Hugging Face.
    """

    def __init__(self, options: SwinOptions, *, rngs: nnx.Rngs) -> None:
        self.options = options
        width, epsilon, dtype = options.width, options.epsilon, options.dtype
        self.patch_embed = nnx.Linear(
            options.patch**2 * options.channels,
            width,
            dtype=dtype,
            kernel_metadata={"axes": ("conv_in", "embed")},
            bias_metadata={"axes": ("embed",)},
            rngs=rngs,
        )
        self.embed_norm = layer_norm(width, epsilon, dtype, rngs)
        self.stages: Any = nnx.List([])
        self.merges: Any = nnx.List([])
        total, done = sum(options.depths), 0
        for stage, (depth, heads) in enumerate(zip(options.depths, options.heads, strict=True)):
            if stage:
                self.merges.append(PatchMerging(options, width, rngs=rngs))
                width *= 2
            side = options.image_size // (options.patch * 2**stage)
            window = min(side, options.window)
            layers = []
            for index in range(depth):
                # One window covers all of a small map: there is nothing to shift.
                shift = window // 2 if index % 2 and side > window else 0
                rate = options.path_rate * done / max(total - 1, 1)
                layers.append(SwinLayer(options, width, heads, window, shift, rate, rngs=rngs))
                done += 1
            self.stages.append(nnx.List(layers))
        self.norm = layer_norm(width, epsilon, dtype, rngs)
        self.features = width

    def __call__(
        self,
        images: Float[Array, "B h w c"],
        *,
        keys: Key[jax.Array, " B"] | None = None,
        train: bool = False,
    ) -> SwinOutput:
        """Encode normalised images.

        Args:
          images: float32 [B, image_size, image_size, channels].
          keys: [B] typed PRNG keys, one per example, for dropout; None switches it off.
          train: accepted for the interface shared with ResNet.

        Raises:
          ValueError: the images have another size or number of channels.
        """
        del train
        options = self.options
        expected = (options.image_size, options.image_size, options.channels)
        if images.shape[1:] != expected:
            raise ValueError(f"images are {images.shape[1:]}; this Swin takes {expected}")
        side = options.image_size // options.patch
        x = self.patch_embed(patchify(images, options.patch))
        x = self.embed_norm(x).reshape(x.shape[0], side, side, -1)
        x = dropout(x, options.dropout, keys, 0)
        maps, number = [], 0
        for stage, layers in enumerate(self.stages):
            if stage:
                x = self.merges[stage - 1](x)
            for layer in layers:
                number += 1
                x = layer(x, keys=fold_keys(keys, number))
            maps.append(x)
        return SwinOutput(tuple(maps), self.norm(x))
