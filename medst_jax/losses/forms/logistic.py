# SPDX-License-Identifier: Apache-2.0
"""The logistic losses of all pairs, summed block by block."""

from typing import Any

import jax
import jax.numpy as jnp

from medst_jax.losses.forms.blockwise import Block, Side
from medst_jax.losses.shapes import masked_mean
from medst_jax.losses.siglip import logistic_losses


class SummedLogistic:
    """Logistic loss of every pair, over the number of valid rows; a row's statistic is its sum."""

    def initial_statistics(self, size: int, dtype: Any) -> jax.Array:
        return jnp.zeros(size, dtype)

    def block_statistics(self, block: Block) -> tuple[jax.Array, jax.Array]:
        losses = logistic_losses(block.logits, block.positives, block.candidates)
        return jnp.sum(losses, 1), jnp.zeros_like(losses[0])

    def combine(self, first: jax.Array, second: jax.Array) -> jax.Array:
        return first + second

    def loss(
        self, row_statistics: jax.Array, column_statistics: jax.Array, valid: jax.Array
    ) -> jax.Array:
        return masked_mean(row_statistics, valid)

    def surrogate(
        self,
        block: Block,
        row_statistics: jax.Array,
        column_statistics: jax.Array,
        rows: Side,
        columns: Side,
    ) -> jax.Array:
        return jnp.sum(jnp.where(rows.valid, self.block_statistics(block)[0], 0.0))
