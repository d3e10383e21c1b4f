# SPDX-License-Identifier: Apache-2.0
"""Contrast of the parts of one example: each part against the others of the same image or report."""

import jax
import jax.numpy as jnp
from jaxtyping import Float, ScalarLike

from medst_jax.array_types import Array, Mask
from medst_jax.losses.shapes import masked_mean, product, real, unit, zero_invalid


def region_contrast_loss(
    one: Float[Array, "B N E"],
    two: Float[Array, "B N E"],
    weights: Float[Array, "B N"],
    positives: Float[Array, "N N"],
    *,
    mask: Mask[Array, "B N"] | None = None,
    temperature: ScalarLike = 0.3,
) -> Float[jax.Array, ""]:
    """Mean over examples of the weighted cross-entropy of their parts, from `one` to `two`.

    Part n of `one` is to find the parts of `two` that `positives` names, among those of its own
    example: regions near it, or the same sentence.

    Args:
      one: [B, N, E], not normalised: of regions or sentences.
      two: [B, N, E], of the same ones, as the other modality sees them.
      weights: [B, N], how much a part counts; no gradient. The release takes the shares of the
        global pooling.
      positives: [N, N], rows that sum to 1: what part n is to find.
      mask: bool [B, N], false for padding, which leaves sums and denominators.
      temperature: scalar that divides the cosines.

    Returns:
      A float32 scalar; 0 with zero gradient when there is no part.

    Raises:
      ValueError: shapes disagree.

    Reference: Mueller et al., "Joint Learning of Localized Representations from Medical Images and
    Reports", arXiv:2112.02889, equations 6-9.
    """
    if one.ndim != 3 or one.shape != two.shape or weights.shape != one.shape[:2]:
        raise ValueError(
            f"one {one.shape}, two {two.shape} and weights {weights.shape} must be [B, N, E], "
            "[B, N, E] and [B, N]"
        )
    parts = one.shape[1]
    if positives.shape != (parts, parts):
        raise ValueError(f"positives {positives.shape} must be [N, N] = ({parts}, {parts})")
    known = jnp.ones(weights.shape, bool) if mask is None else jnp.asarray(mask).astype(bool)
    one, two = (unit(real(zero_invalid(x, known))) for x in (one, two))
    logits = product("bne,bke->bnk", one, two) / real(temperature)
    # An example without parts takes all, so that its log-sum-exp is finite, and counts for nothing.
    some = jnp.any(known, axis=1)
    where = (known | ~some[:, None])[:, None, :]
    expected = jnp.sum(jnp.where(where, real(positives) * logits, 0.0), axis=2)
    terms = jax.nn.logsumexp(logits, axis=2, where=where) - expected
    shares = jax.lax.stop_gradient(real(weights))
    of_examples = jnp.sum(jnp.where(known, shares * terms, 0.0), axis=1)
    return masked_mean(of_examples, some)


def near_regions(height: int, width: int, reach: float = 0.5) -> Float[jax.Array, "N N"]:
    """What each cell of a grid is to find: cells near it, by distance; rows sum to 1.

    Args:
      height: cells.
      width: cells.
      reach: of the grid's diagonal, how far a cell may lie to count.

    Reference: as `region_contrast_loss`, equation 7.
    """
    row, column = jnp.divmod(jnp.arange(height * width), width)
    squared = (row[:, None] - row) ** 2 + (column[:, None] - column) ** 2
    distance = jnp.sqrt(squared.astype(jnp.float32)) / jnp.hypot(height, width)
    share = jnp.where(distance <= reach, jnp.exp(-distance), 0.0)
    return share / jnp.sum(share, axis=1, keepdims=True)
