# SPDX-License-Identifier: Apache-2.0
"""Study sequences of a batch whose studies are packed flat."""

import jax
import jax.numpy as jnp

from medst_jax.systems.system import Batch


def gather_sequences(values: jax.Array, sequence_rows: jax.Array) -> jax.Array:
    """Rows [B, ...] as sequences [N, T, ...]; absent places are zero."""
    present = sequence_rows >= 0
    gathered = values[jnp.maximum(sequence_rows, 0)]
    return jnp.where(present.reshape(*present.shape, *[1] * (values.ndim - 1)), gathered, 0)


def study_mask(batch: Batch, usable: jax.Array) -> jax.Array:
    """Bool [N, T]: places that hold a study which `usable` [B] lets take part."""
    rows = batch["sequence_rows"]
    return (rows >= 0) & usable[jnp.maximum(rows, 0)]
