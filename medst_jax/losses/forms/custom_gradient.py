# SPDX-License-Identifier: Apache-2.0
"""A scalar whose gradient is computed together with its value rather than from residuals."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from medst_jax.losses.forms.blocks import Arrays
from medst_jax.losses.forms.blockwise import BlockwiseLoss

StatisticsPass = Callable[[Arrays], tuple[Any, Any]]
GradientPass = Callable[[Arrays, tuple[Any, Any], jax.Array], tuple[Any, Any, Any, Any]]


def loss_with_gradient(
    loss: BlockwiseLoss, statistics_pass: StatisticsPass, gradient_pass: GradientPass
) -> jax.Array:
    """The value of `loss`; reverse-mode differentiable with respect to its values.

    Args:
      loss: on its batch.
      statistics_pass: gives the statistics of all rows and columns.
      gradient_pass: gives the gradients with respect to the values, from those statistics and the
        number of valid rows.
    """

    def value(arrays: Arrays, statistics: tuple[Any, Any]) -> jax.Array:
        return loss.reduction.loss(*statistics, arrays.rows.valid)

    @jax.custom_vjp
    def scalar(values: Any, constants: Arrays) -> jax.Array:
        arrays = constants.with_values(values)
        return value(arrays, statistics_pass(arrays))

    def forward(values: Any, constants: Arrays) -> tuple[jax.Array, Any]:
        arrays = constants.with_values(values)
        statistics = statistics_pass(arrays)
        valid_count = jnp.maximum(jnp.sum(arrays.rows.valid), 1)
        return value(arrays, statistics), gradient_pass(arrays, statistics, valid_count)

    def backward(gradients: Any, cotangent: jax.Array) -> tuple[Any, None]:
        return jax.tree.map(lambda g: (cotangent * g).astype(g.dtype), gradients), None

    scalar.defvjp(forward, backward)
    arrays = Arrays(loss.scalars, loss.rows, loss.columns, loss.pairs)
    return scalar(arrays.values, arrays.with_values((None, None, None, None)))
