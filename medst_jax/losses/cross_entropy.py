# SPDX-License-Identifier: Apache-2.0
"""Cross-entropy over the rows of a matrix of pairs, and which pairs enter it."""

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float

from medst_jax.array_types import Array, Mask


def cross_entropy(
    logits: Float[Array, "r c"], targets: Mask[Array, "r c"], candidates: Bool[Array, "r c"]
) -> Float[jax.Array, " r"]:
    """Of each row the log-sum-exp over its candidates, less the mean logit under its targets.

    Args:
      logits: [r, c].
      targets: [r, c], the probability of each candidate; every row sums to 1. A row with one
        target may be given as booleans.
      candidates: bool [r, c], true at least once in every row.
    """
    normaliser = jax.nn.logsumexp(logits, axis=1, where=candidates)
    return normaliser - jnp.sum(targets * logits, axis=1)


def candidate_pairs(
    positives: Bool[Array, "r c"],
    row_valid: Bool[Array, " r"],
    column_valid: Bool[Array, " c"],
    negatives: Mask[Array, "r c"] | None,
) -> Bool[jax.Array, "r c"]:
    """The pairs that count at all: positives, and pairs of valid rows that may be negatives.

    Args:
      positives: bool [r, c].
      row_valid: bool [r].
      column_valid: bool [c].
      negatives: [r, c], true where a pair may be a negative; None for everywhere.
    """
    valid = row_valid[:, None] & column_valid[None, :]
    allowed = valid if negatives is None else valid & negatives.astype(bool)
    return jnp.logical_or(positives, allowed)
