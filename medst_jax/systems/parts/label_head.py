# SPDX-License-Identifier: Apache-2.0
"""The image-label head, a projection, one prototype per label and a temperature; and its metrics."""

import jax
import jax.numpy as jnp
from flax import nnx

from medst_jax.models.heads.contrastive import Projection, Prototypes, Temperature
from medst_jax.systems.system import Metrics


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


def label_metrics(logits: jax.Array, labels: jax.Array, known: jax.Array) -> Metrics:
    """Recall and specificity at logit 0 over the known labels; all arguments [B, C]."""
    positive = known & (labels > 0.5)
    negative = known & ~positive
    predicted = logits > 0
    return {
        "label_recall": (jnp.sum(positive & predicted) * 1.0, jnp.sum(positive) * 1.0),
        "label_specificity": (jnp.sum(negative & ~predicted) * 1.0, jnp.sum(negative) * 1.0),
    }
