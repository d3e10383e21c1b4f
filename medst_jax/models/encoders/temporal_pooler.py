# SPDX-License-Identifier: Apache-2.0
"""Transformer that compares the patches of a current and a prior image."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Float, Key

from medst_jax.models.layers.attention import Mlp, SelfAttention, layer_norm
from medst_jax.models.layers.dropout import drop_path, dropout, fold_keys
from medst_jax.models.layers.stack import scan_layers, stack_layers

_init = nnx.initializers.truncated_normal(0.02)


class PoolerLayer(nnx.Module):
    """Pre-norm layer that adds position and time to the normed tokens before attention."""

    def __init__(
        self, width: int, heads: int, rate: float, path_rate: float, dtype: str, *, rngs: nnx.Rngs
    ) -> None:
        self.dropout = rate
        self.path_rate = path_rate
        self.norm1 = layer_norm(width, 1e-6, dtype, rngs)
        self.attn = SelfAttention(
            width,
            heads,
            dropout_rate=rate,
            qkv_bias=False,
            kernel_init=_init,
            dtype=dtype,
            rngs=rngs,
        )
        self.norm2 = layer_norm(width, 1e-6, dtype, rngs)
        self.mlp = Mlp(width, width, kernel_init=_init, dtype=dtype, rngs=rngs)

    def __call__(
        self,
        x: Float[jax.Array, "B L D"],
        places: Float[jax.Array, "L D"],
        keys: Key[jax.Array, " B"] | None,
    ) -> Float[jax.Array, "B L D"]:
        """[B, L, D], [L, D] -> [B, L, D]."""
        attended = self.attn(self.norm1(x) + places.astype(x.dtype), keys=keys)
        x = x + drop_path(dropout(attended, self.dropout, keys, 1), self.path_rate, keys, 2)
        hidden = dropout(self.mlp.activation(self.mlp.fc1(self.norm2(x))), self.dropout, keys, 3)
        mapped = dropout(self.mlp.fc2(hidden), self.dropout, keys, 4)
        return x + drop_path(mapped, self.path_rate, keys, 5)


class TemporalPooler(nnx.Module):
    """Patches of both images to the current image's patches, aware of what changed.

    Sine positions and a learned embedding of the time enter queries, keys and values of every
    layer, as in the released code.

    Source: Bannur et al. 2023, "Learning to Exploit Temporal Structure for Biomedical
    Vision-Language Processing" (BioViL-T, arXiv:2301.04558).
    """

    def __init__(
        self,
        width: int,
        *,
        depth: int = 3,
        heads: int = 8,
        dropout_rate: float = 0.1,
        path_rate: float = 0.25,
        dtype: str = "float32",
        rngs: nnx.Rngs,
    ) -> None:
        """`path_rate`: probability that a training example skips a branch of a layer."""
        self.depth = depth
        self.dropout = dropout_rate
        self.type_embed = nnx.Param(
            _init(rngs.params(), (2, 1, width), jnp.float32), axes=(None, None, "embed")
        )
        self.blocks = stack_layers(
            lambda r: PoolerLayer(width, heads, dropout_rate, path_rate, dtype, rngs=r), depth, rngs
        )
        self.norm = layer_norm(width, 1e-6, dtype, rngs)

    def __call__(
        self,
        current: Float[jax.Array, "B h w D"],
        prior: Float[jax.Array, "B h w D"] | None,
        *,
        keys: Key[jax.Array, " B"] | None = None,
    ) -> Float[jax.Array, "B h w D"]:
        """[B, h, w, D] and the same of the prior image, or None -> [B, h, w, D]."""
        batch, height, width, features = current.shape
        places = jnp.asarray(sine_positions(height, width, features))
        x = current.reshape(batch, -1, features)
        times = self.type_embed[...]
        offsets = places + times[0]
        if prior is not None:
            x = jnp.concatenate([x, prior.reshape(batch, -1, features)], axis=1)
            offsets = jnp.concatenate([offsets, places + times[1]])
        x = dropout(x, self.dropout, keys, 0)

        def apply(
            layer: PoolerLayer, index: jax.Array, x: jax.Array, keys: jax.Array | None
        ) -> jax.Array:
            return layer(x, offsets, fold_keys(keys, index + 1))

        x, _ = scan_layers(self.blocks, apply, x, keys)
        return self.norm(x)[:, : height * width].reshape(current.shape)


def sine_positions(height: int, width: int, features: int) -> np.ndarray:
    """Fixed positions of a grid, float32 [height * width, features]: first half y, second x.

    Coordinates run over (0, 2 pi]; sine and cosine alternate over wavelengths up to 10,000
    (Carion et al. 2020, arXiv:2005.12872).
    """
    half = features // 2
    wavelength = 10_000.0 ** (2 * (np.arange(half) // 2) / half)

    def waves(length: int) -> np.ndarray:
        steps = np.arange(1, length + 1, dtype=np.float64)
        angles = (steps / (length + 1e-6) * 2 * math.pi)[:, None] / wavelength
        return np.where(np.arange(half) % 2 == 0, np.sin(angles), np.cos(angles))

    y = np.broadcast_to(waves(height)[:, None], (height, width, half))
    x = np.broadcast_to(waves(width)[None], (height, width, half))
    return np.concatenate([y, x], axis=-1).reshape(height * width, features).astype(np.float32)
