# SPDX-License-Identifier: Apache-2.0
"""Heads that turn the feature maps of an image encoder into one logit per pixel."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from medst_jax.models.layers.convolution import Convolution

_GROUPS = 8


class LinearMapHead(nnx.Module):
    """A linear classifier of every cell of the last map, enlarged to the image."""

    def __init__(self, widths: Sequence[int], size: int, *, rngs: nnx.Rngs) -> None:
        """widths: channels of the maps, fine to coarse; size: S, side of the image."""
        self.size = size
        self.last = nnx.Linear(widths[-1], 1, rngs=rngs)

    def __call__(self, maps: Sequence[jax.Array]) -> jax.Array:
        """Maps [B, h, w, D], fine to coarse, to logits float32 [B, S, S]."""
        return _enlarged(self.last(maps[-1]), self.size)[..., 0]


class UNetHead(nnx.Module):
    """The way up of a U-Net: maps are enlarged step by step, each joined by the finer one.

    An encoder with one map, such as a ViT, has no finer ones to join.

    Reference: Ronneberger et al., arXiv:1505.04597, with group normalisation.
    """

    def __init__(self, widths: Sequence[int], size: int, inner: int, *, rngs: nnx.Rngs) -> None:
        """widths: channels of the maps, fine to coarse; size: S, side of the image; inner: channels
        on the way up, a multiple of 8."""
        self.size = size
        self.start = nnx.Linear(widths[-1], inner, rngs=rngs)
        self.joins = nnx.List([nnx.Linear(width, inner, rngs=rngs) for width in widths[:-1]])
        self.blocks = nnx.List([_Block(2 * inner, inner, rngs) for _ in widths[:-1]])
        self.up = nnx.List([_Block(inner, inner, rngs) for _ in range(2)])
        self.last = nnx.Linear(inner, 1, rngs=rngs)

    def __call__(self, maps: Sequence[jax.Array]) -> jax.Array:
        """Maps [B, h, w, D], fine to coarse, to logits float32 [B, S, S]."""
        x = self.start(maps[-1])
        finer = zip(self.joins, self.blocks, strict=True)
        for (join, block), skip in zip(reversed(list(finer)), maps[-2::-1], strict=True):
            x = block(jnp.concatenate([_enlarged(x, skip.shape[1]), join(skip)], axis=-1))
        for block in self.up:
            x = block(_enlarged(x, min(2 * x.shape[1], self.size)))
        return _enlarged(self.last(x), self.size)[..., 0]


class _Block(nnx.Module):
    """Twice: 3 x 3 convolution, group normalisation, ReLU."""

    def __init__(self, before: int, after: int, rngs: nnx.Rngs) -> None:
        self.first = Convolution(before, after, 3, form="patches", rngs=rngs)
        self.second = Convolution(after, after, 3, form="patches", rngs=rngs)
        self.first_norm = nnx.GroupNorm(after, _GROUPS, rngs=rngs)
        self.second_norm = nnx.GroupNorm(after, _GROUPS, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = jax.nn.relu(self.first_norm(self.first(x)))
        return jax.nn.relu(self.second_norm(self.second(x)))


def _enlarged(x: jax.Array, size: int) -> jax.Array:
    return jax.image.resize(x, (len(x), size, size, x.shape[-1]), "linear")


def _linear(widths: Sequence[int], size: int, inner: int, *, rngs: nnx.Rngs) -> LinearMapHead:
    return LinearMapHead(widths, size, rngs=rngs)  # which has no channels of its own


HEADS: dict[str, Callable[..., Any]] = {"linear": _linear, "unet": UNetHead}
