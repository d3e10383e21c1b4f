# SPDX-License-Identifier: Apache-2.0
"""Projection, learned temperature and label prototypes."""

import math

import jax
import jax.numpy as jnp
from flax import nnx

from medst_jax.systems.embedding import unit_norm


class Projection(nnx.Module):
    """A linear map without bias into the joint space, then the unit norm: [..., D] to [..., E]."""

    def __init__(self, features: int, joint: int, *, rngs: nnx.Rngs):
        self.linear = nnx.Linear(
            features, joint, use_bias=False, rngs=rngs, kernel_metadata={"axes": ("embed", "joint")}
        )

    def __call__(self, features: jax.Array) -> jax.Array:
        return unit_norm(self.linear(features.astype(jnp.float32)))


class Scale(nnx.Module):
    """An inverse temperature learned as its logarithm, clamped by value after each update.

    The gradient flows as if unclamped, as in CLIP.
    """

    def __init__(self, temperature: float, maximum: float):
        self.maximum = maximum
        self.log = nnx.Param(jnp.asarray(-math.log(temperature), jnp.float32), axes=())

    def __call__(self) -> jax.Array:
        return jnp.exp(self.log[...])

    def clamp(self) -> None:
        """Keep the scale within [1, maximum]."""
        self.log[...] = jnp.clip(self.log[...], 0.0, math.log(self.maximum))


class LabelHead(nnx.Module):
    """A projection, one prototype per label and a temperature: logits are scaled cosines."""

    def __init__(self, features: int, joint: int, labels: int, scale: Scale, *, rngs: nnx.Rngs):
        kaiming = nnx.initializers.variance_scaling(2.0, "fan_in", "normal", in_axis=-1, out_axis=0)
        self.projection = Projection(features, joint, rngs=rngs)
        self.prototypes = nnx.Param(
            kaiming(rngs.params(), (labels, joint), jnp.float32), axes=("labels", "joint")
        )
        self.scale = scale

    def logits(self, embedding: jax.Array) -> jax.Array:
        """Logits [B, C] of projected images `embedding` [B, E]."""
        return self.scale() * jnp.einsum("be,ce->bc", embedding, unit_norm(self.prototypes[...]))
