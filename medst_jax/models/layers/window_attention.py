# SPDX-License-Identifier: Apache-2.0
"""Attention inside square windows of a map, with a bias for each relative position."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from medst_jax.models.layers.dropout import dropout

_MASKED = -1e9
_init = nnx.initializers.truncated_normal(0.02)


class WindowAttention(nnx.Module):
    """Self-attention within windows that may be shifted by half a window.

    Source: Liu et al. 2021 (Swin, arXiv:2103.14030), section 3.2.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        window: int,
        *,
        dropout_rate: float = 0.0,
        dtype: str = "float32",
        rngs: nnx.Rngs,
    ) -> None:
        """Raises ValueError when `heads` does not divide `width`."""
        if width % heads:
            raise ValueError(f"width {width} is not divisible by heads {heads}")
        size = width // heads
        self.scale = size**-0.5
        self.window = window
        self.dropout = dropout_rate
        # Swin's first layers have three heads, which no mesh divides: heads stay whole.
        self.qkv = nnx.LinearGeneral(
            width,
            (3, heads, size),
            kernel_init=_init,
            dtype=dtype,
            kernel_metadata={"axes": ("embed", None, None, None)},
            bias_metadata={"axes": (None, None, None)},
            rngs=rngs,
        )
        self.out = nnx.LinearGeneral(
            (heads, size),
            width,
            axis=(-2, -1),
            kernel_init=_init,
            dtype=dtype,
            kernel_metadata={"axes": (None, None, "embed")},
            bias_metadata={"axes": ("embed",)},
            rngs=rngs,
        )
        self.position_bias = nnx.Param(
            _init(rngs.params(), ((2 * window - 1) ** 2, heads), jnp.float32), axes=(None, None)
        )

    def __call__(self, x: jax.Array, shift: int, *, keys: jax.Array | None = None) -> jax.Array:
        """[B, h, w, D] -> [B, h, w, D]; h and w are multiples of the window."""
        batch, height, width, features = x.shape
        window = self.window
        x = jnp.roll(x, (-shift, -shift), (1, 2))
        rows, columns = height // window, width // window
        x = x.reshape(batch, rows, window, columns, window, features)
        x = x.transpose(0, 1, 3, 2, 4, 5).reshape(batch, rows * columns, window**2, features)
        query, key, value = jnp.moveaxis(self.qkv(x), 3, 0)
        scores = jnp.einsum("bnlhd,bnmhd->bnhlm", query * self.scale, key).astype(jnp.float32)
        bias = self.position_bias[...][relative_positions(window)]
        scores = scores + bias.transpose(2, 0, 1)
        if shift:
            together = same_region(height, width, window, shift)[:, None]
            scores = jnp.where(together, scores, _MASKED)
        weights = dropout(jax.nn.softmax(scores).astype(value.dtype), self.dropout, keys, 0)
        x = self.out(jnp.einsum("bnhlm,bnmhd->bnlhd", weights, value))
        x = x.reshape(batch, rows, columns, window, window, features)
        x = x.transpose(0, 1, 3, 2, 4, 5).reshape(batch, height, width, features)
        return jnp.roll(x, (shift, shift), (1, 2))


@functools.cache
def relative_positions(window: int) -> np.ndarray:
    """Row of the bias table for each pair of places of a window, int [window**2, window**2]."""
    places = np.stack(np.meshgrid(*[np.arange(window)] * 2, indexing="ij"), -1).reshape(-1, 2)
    offsets = places[:, None] - places[None] + window - 1
    return offsets[..., 0] * (2 * window - 1) + offsets[..., 1]


@functools.cache
def same_region(height: int, width: int, window: int, shift: int) -> np.ndarray:
    """Pairs that were neighbours before the shift: bool [windows, window**2, window**2].

    Rolling brings the far edges of the map into one window; those do not see each other.
    """

    def strips(length: int) -> np.ndarray:
        places = np.arange(length)
        return (places >= length - window).astype(int) + (places >= length - shift)

    regions = strips(height)[:, None] * 3 + strips(width)[None]
    cut = regions.reshape(height // window, window, width // window, window)
    cut = cut.transpose(0, 2, 1, 3).reshape(-1, window**2)
    return cut[:, :, None] == cut[:, None, :]
