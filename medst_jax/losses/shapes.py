# SPDX-License-Identifier: Apache-2.0
"""Checks and masks that the losses share: one clear error for a wrong shape."""

import jax
import jax.numpy as jnp


def check_pairs(
    image: jax.Array, text: jax.Array, mask: jax.Array | None, negative_mask: jax.Array | None
) -> None:
    """Raise a ValueError naming the argument unless all agree on [B, E], [B] and [B, B]."""
    if image.ndim != 2 or image.shape != text.shape:
        raise ValueError(
            f"image {image.shape} and text {text.shape} must have one shape [B, E]: "
            "row i of both is the matched pair"
        )
    rows = image.shape[0]
    if mask is not None and mask.shape != (rows,):
        raise ValueError(f"mask {mask.shape} must be [B] = ({rows},)")
    if negative_mask is not None and negative_mask.shape != (rows, rows):
        raise ValueError(f"negative_mask {negative_mask.shape} must be [B, B] = ({rows}, {rows})")


def valid_rows(rows: int, mask: jax.Array | None) -> jax.Array:
    """The row mask as bool [B]; all rows when there is none."""
    return jnp.ones((rows,), bool) if mask is None else mask.astype(bool)


def masked_mean(values: jax.Array, mask: jax.Array) -> jax.Array:
    """Mean of `values` [B] where `mask` [B] is true; 0 with zero gradient when it never is."""
    total = jnp.sum(jnp.where(mask, values, 0.0))
    return total / jnp.maximum(jnp.sum(mask), 1).astype(values.dtype)


def zero_invalid(embeddings: jax.Array, valid: jax.Array) -> jax.Array:
    """Zero the rows that do not count, so that not even a NaN in them reaches a gradient."""
    return jnp.where(valid[:, None], embeddings, jnp.zeros((), embeddings.dtype))


def similarities(rows: jax.Array, columns: jax.Array) -> jax.Array:
    """Inner products [B, B'] of [B, E] and [B', E] in float32, at full precision on every chip."""
    return jnp.einsum(
        "ie,je->ij",
        rows.astype(jnp.float32),
        columns.astype(jnp.float32),
        precision=jax.lax.Precision.HIGHEST,
    )
