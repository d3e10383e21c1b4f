# SPDX-License-Identifier: Apache-2.0
"""From an encoder's features to a joint space that is not normalised."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import nnx


class Unchanged(nnx.Module):
    """Features that already have the joint space's width."""

    def __call__(self, x: jax.Array) -> jax.Array:
        """[..., E] -> float32 [..., E]."""
        return x.astype(jnp.float32)


def to_width(features: int, joint: int, rngs: nnx.Rngs) -> Callable[[jax.Array], jax.Array]:
    """The identity where the widths agree (as in the papers), else a linear map."""
    if features == joint:
        return Unchanged()
    return nnx.Linear(
        features,
        joint,
        kernel_metadata={"axes": ("embed", "joint")},
        bias_metadata={"axes": ("joint",)},
        rngs=rngs,
    )
