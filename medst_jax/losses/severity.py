# SPDX-License-Identifier: Apache-2.0
"""Losses of edema severity 0 to 3, as four classes or as three cumulative questions."""

import jax
import jax.numpy as jnp
from jaxtyping import Float, Int

from medst_jax.array_types import Array

LEVELS = 4


def severity_cross_entropy(
    logits: Float[Array, "B 4"], severity: Int[Array, " B"]
) -> Float[jax.Array, ""]:
    """Cross-entropy of four classes, mean over the rows whose severity is known.

    Args:
      logits: [B, 4].
      severity: int [B], 0 to 3, -1 unknown.

    Returns:
      A float32 scalar; 0 with zero gradient when no severity is known.

    Raises:
      ValueError: the shapes disagree.

    Reference: Chauhan et al., "Joint Modeling of Chest Radiographs and Radiology Reports for
    Pulmonary Edema Assessment", arXiv:2008.09884, section 2.
    """
    values, known = _known(logits, severity, LEVELS)
    log_probabilities = jax.nn.log_softmax(values)
    index = jnp.maximum(severity, 0).astype(jnp.int32)
    own = jnp.take_along_axis(log_probabilities, index[:, None], axis=1)[:, 0]
    return -jnp.sum(jnp.where(known, own, 0.0)) / jnp.maximum(jnp.sum(known), 1)


def ordinal_severity_loss(
    logits: Float[Array, "B 3"], severity: Int[Array, " B"]
) -> Float[jax.Array, ""]:
    """Binary cross-entropy of "at least 1", "at least 2", "at least 3", mean over questions too.

    Args:
      logits: [B, 3], of severity >= 1, >= 2 and >= 3.
      severity: int [B], 0 to 3, -1 unknown.

    Returns:
      A float32 scalar; 0 with zero gradient when no severity is known.

    Raises:
      ValueError: the shapes disagree.

    Reference: the ordinal option of the release of Chauhan et al., arXiv:2008.09884.
    """
    values, known = _known(logits, severity, LEVELS - 1)
    target = severity[:, None] >= jnp.arange(1, LEVELS)
    # log(1 + exp(x)) - x * target, stable on both sides.
    losses = jax.nn.softplus(values) - jnp.where(target, values, 0.0)
    per_row = jnp.where(known, jnp.mean(losses, axis=1), 0.0)
    return jnp.sum(per_row) / jnp.maximum(jnp.sum(known), 1)


def _known(logits: Array, severity: Array, width: int) -> tuple[jax.Array, jax.Array]:
    """Logits in at least float32 with rows of unknown severity zeroed, and which are known."""
    if logits.ndim != 2 or logits.shape[1] != width or severity.shape != logits.shape[:1]:
        raise ValueError(
            f"logits are {logits.shape} and severity {severity.shape}; they must be [B, {width}] "
            "and [B]"
        )
    known = jnp.asarray(severity) >= 0
    values = logits.astype(jnp.promote_types(logits.dtype, jnp.float32))
    return jnp.where(known[:, None], values, 0.0), known
