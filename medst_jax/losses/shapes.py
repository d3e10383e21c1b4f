# SPDX-License-Identifier: Apache-2.0
"""Checks, masks and precisions that the losses share: one clear error for a wrong shape."""

from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Bool, Float

from medst_jax.array_types import Array, Mask
from medst_jax.losses.pairwise import Pairwise


def valid_pairs(
    image: Float[Array, "B E"],
    text: Float[Array, "B E"],
    mask: Mask[Array, " B"] | None,
    negative_mask: Mask[Array, "B B"] | Pairwise | None = None,
) -> tuple[Float[jax.Array, "B E"], Float[jax.Array, "B E"], Bool[jax.Array, " B"]]:
    """Images and texts with zeros in rows that do not count, and bool [B] of those that do.

    Raises:
      ValueError: shapes disagree, of the masks too.
    """
    check_pairs(image, text, mask, negative_mask)
    valid = valid_rows(image.shape[0], mask)
    return zero_invalid(image, valid), zero_invalid(text, valid), valid


def check_pairs(
    image: Array,
    text: Array,
    mask: Array | None,
    negative_mask: Array | Pairwise | None,
) -> None:
    """Raise a ValueError naming the argument unless all agree on [B, E], [B] and [B, B]."""
    if image.ndim != 2 or image.shape != text.shape:
        raise ValueError(
            f"image {image.shape} and text {text.shape} must have one shape [B, E]: "
            "row i of both is the matched pair"
        )
    check_rows(image.shape[0], mask)
    check_matrix("negative_mask", negative_mask, image.shape[0])


def check_rows(rows: int, mask: Array | None) -> None:
    """Raise a ValueError unless `mask` is None or [B]."""
    if mask is not None and mask.shape != (rows,):
        raise ValueError(f"mask {mask.shape} must be [B] = ({rows},)")


def check_matrix(name: str, matrix: Array | Pairwise | None, rows: int) -> None:
    """Raise a ValueError unless `matrix` is None or has one row and column per row of the batch."""
    if matrix is not None and matrix.shape != (rows, rows):
        raise ValueError(f"{name} {matrix.shape} must be [B, B] = ({rows}, {rows})")


def real(x: ArrayLike) -> jax.Array:
    """The precision losses compute in: float32, or float64 where that is what comes in."""
    x = jnp.asarray(x)
    return x if x.dtype == jnp.float64 else x.astype(jnp.float32)


def valid_rows(rows: int, mask: Array | None) -> jax.Array:
    """The row mask as bool [B]; all rows when there is none."""
    return jnp.ones((rows,), bool) if mask is None else jnp.asarray(mask).astype(bool)


def masked_mean(values: jax.Array, mask: jax.Array) -> jax.Array:
    """Mean of `values` where `mask`, of their shape, is true; 0 with zero gradient when never."""
    total = jnp.sum(jnp.where(mask, values, 0.0))
    return total / jnp.maximum(jnp.sum(mask), 1).astype(values.dtype)


def zero_invalid(values: Array, valid: Array) -> jax.Array:
    """Zero what does not count, so that not even a NaN in it reaches a gradient.

    Args:
      values: [B, ..., E].
      valid: bool, the leading dimensions of `values`.
    """
    values = jnp.asarray(values)
    valid = valid.reshape(valid.shape + (1,) * (values.ndim - valid.ndim))
    return jnp.where(valid, values, jnp.zeros((), values.dtype))


def product(subscripts: str, *operands: Any) -> jax.Array:
    """An einsum in float32 (float64 for float64) at full precision on every chip."""
    return jnp.einsum(subscripts, *map(real, operands), precision=jax.lax.Precision.HIGHEST)


def similarities(rows: Array, columns: Array) -> jax.Array:
    """Inner products [B, B'] of [B, E] and [B', E]."""
    return product("ie,je->ij", rows, columns)


def norm(x: jax.Array) -> jax.Array:
    """Euclidean norm over the last axis, [..., E] to [..., 1], with zero gradient at zero."""
    squared = jnp.sum(jnp.square(x), axis=-1, keepdims=True)
    positive = squared > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, squared, 1.0)), 0.0)


def unit(x: jax.Array) -> jax.Array:
    """Rows [..., E] divided by their norm; a zero row stays zero."""
    return x / jnp.maximum(norm(x), 1e-12)
