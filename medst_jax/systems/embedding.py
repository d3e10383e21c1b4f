# SPDX-License-Identifier: Apache-2.0
"""What a system gives for an image or a text, and the unit norm of the joint space."""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class Embedding(NamedTuple):
    """An image's or a text's representation, float32.

    global_: [B, E], unit norm, in the joint space.
    local: [B, P, E] of patches or [B, L, E] of tokens, unit norm.
    features: [B, D], the encoder's pooled output before any projection, for probes.
    """

    global_: jax.Array
    local: jax.Array
    features: jax.Array


def unit_norm(values: jax.Array) -> jax.Array:
    """`values` [..., E] over their Euclidean norm, in float32; a zero vector stays zero."""
    values = values.astype(jnp.float32)
    square = jnp.sum(values * values, axis=-1, keepdims=True)
    return values * jax.lax.rsqrt(jnp.maximum(square, 1e-24))
