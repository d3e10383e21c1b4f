# SPDX-License-Identifier: Apache-2.0
"""Regions and sentences that look at one another through the same projections."""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float

from medst_jax.array_types import Array, Mask
from medst_jax.models.layers.batch_norm import BatchNorm


class SharedAttention(nnx.Module):
    """One projection for queries and keys of both sides, one of values, one of the result.

    Source: Mueller et al. 2022 (arXiv:2112.02889), equations 3-5, without heads or residual; the
    batch norm of its result is that of the release.
    """

    def __init__(self, size: int, *, rngs: nnx.Rngs) -> None:
        """`size` E of the vectors on both sides."""
        self.key, self.value, self.out = (
            nnx.Linear(
                size,
                size,
                kernel_init=nnx.initializers.variance_scaling(1 / 3, "fan_in", "uniform"),
                kernel_metadata={"axes": ("embed", "joint")},
                bias_metadata={"axes": ("joint",)},
                rngs=rngs,
            )
            for _ in range(3)
        )
        self.norm = BatchNorm(size)

    def scores(
        self, one: Float[jax.Array, "B N E"], two: Float[jax.Array, "B M E"]
    ) -> Float[jax.Array, "B N M"]:
        """How well each part of one side suits each of the other, before the softmax."""
        return jnp.einsum("bne,bme->bnm", self.key(one), self.key(two)) * one.shape[-1] ** -0.5

    def read(
        self,
        one: Float[jax.Array, "B N E"],
        two: Float[jax.Array, "B M E"],
        mask: Mask[Array, "B M"],
    ) -> Float[jax.Array, "B N E"]:
        """What each part of `one` reads off the parts of `two` that `mask` allows, before the norm."""
        known = jnp.asarray(mask).astype(bool)[:, None, :]
        weights = jax.nn.softmax(jnp.where(known, self.scores(one, two), -1e9), axis=2)
        return self.out(jnp.einsum("bnm,bme->bne", weights, self.value(two)))

    def __call__(
        self,
        one: Float[jax.Array, "B N E"],
        two: Float[jax.Array, "B M E"],
        mask: Mask[Array, "B M"],
        *,
        counted: Mask[Array, "B N"],
        train: bool,
    ) -> Float[jax.Array, "B N E"]:
        """As `read`, normalised over the parts that are `counted`, bool [B, N]."""
        read = self.read(one, two, mask)
        return self.norm(read, train=train, mask=jnp.asarray(counted).astype(bool))
