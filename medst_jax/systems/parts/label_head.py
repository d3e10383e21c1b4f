# SPDX-License-Identifier: Apache-2.0
"""The image-label head: a projection, one prototype per label and a temperature of its own."""

import jax
import jax.numpy as jnp
from flax import nnx

from medst_jax.models.heads.contrastive import Projection, Prototypes, Temperature


class LabelHead(nnx.Module):
    """Logits are cosines between projected images and label prototypes, times a learned scale."""

    def __init__(
        self, features: int, joint: int, labels: int, temperature: float, *, rngs: nnx.Rngs
    ):
        self.projection = Projection(features, joint, rngs=rngs)
        self.prototypes = Prototypes(labels, joint, rngs=rngs)
        self.scale = Temperature(1 / temperature)

    def logits(self, embedding: jax.Array) -> jax.Array:
        """Logits [B, C] of projected images `embedding` [B, E]."""
        return self.scale() * jnp.einsum("be,ce->bc", embedding, self.prototypes())
