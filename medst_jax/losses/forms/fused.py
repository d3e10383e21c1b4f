# SPDX-License-Identifier: Apache-2.0
"""A scalar whose gradient is computed together with its value rather than from residuals."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from medst_jax.losses.forms.blocks import Arrays
from medst_jax.losses.forms.pairs import PairTask

Measure = Callable[[Arrays], tuple[Any, Any]]
Slope = Callable[[Arrays, tuple[Any, Any], jax.Array], tuple[Any, Any, Any, Any]]


def fused_loss(task: PairTask, measure: Measure, slope: Slope) -> jax.Array:
    """The loss of `task`; reverse-mode differentiable with respect to its values.

    Args:
      task: the loss on its batch.
      measure: the statistics of all rows and columns.
      slope: gradients with respect to the values, given statistics and the number of valid rows.
    """

    def value(arrays: Arrays, stats: tuple[Any, Any]) -> jax.Array:
        return task.family.value(*stats, arrays.rows.valid)

    @jax.custom_vjp
    def loss(values: Any, facts: Arrays) -> jax.Array:
        arrays = facts.with_values(values)
        return value(arrays, measure(arrays))

    def forward(values: Any, facts: Arrays) -> tuple[jax.Array, Any]:
        arrays = facts.with_values(values)
        stats = measure(arrays)
        count = jnp.maximum(jnp.sum(arrays.rows.valid), 1)
        return value(arrays, stats), slope(arrays, stats, count)

    def backward(gradients: Any, cotangent: jax.Array) -> tuple[Any, None]:
        return jax.tree.map(lambda g: (cotangent * g).astype(g.dtype), gradients), None

    loss.defvjp(forward, backward)
    arrays = Arrays(task.shared, task.rows, task.columns, task.pairs)
    return loss(arrays.values, arrays.with_values((None, None, None, None)))
