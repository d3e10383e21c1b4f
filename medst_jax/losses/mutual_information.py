# SPDX-License-Identifier: Apache-2.0
"""Bounds on mutual information from a critic's scores of all image-text pairs."""

import jax
import jax.numpy as jnp
from jaxtyping import Float, ScalarLike

from medst_jax.array_types import Array, Mask
from medst_jax.losses.pairwise import Pairwise, as_matrix
from medst_jax.losses.shapes import check_matrix, check_rows, masked_mean, real, valid_rows


def donsker_varadhan_loss(
    scores: Float[Array, "B B"],
    negative_mask: Mask[Array, "B B"] | Pairwise | None = None,
    *,
    log_mean: ScalarLike | None = None,
    mask: Mask[Array, " B"] | None = None,
) -> Float[jax.Array, ""]:
    """Log-mean-exp of the negatives' scores minus the mean score of the matched pairs (MINE).

    Args:
      scores: [B, B] of a critic, matched pairs on the diagonal.
      negative_mask: bool [B, B], true where a pair off the diagonal is a negative, such as
        pairs of different studies.
      log_mean: scalar, the logarithm of the caller's moving average of mean exp(score) over
        negatives. The value stays this batch's; the gradient of its first term divides by the
        average instead of the batch's own mean, which takes away the bias of small batches.
        It receives no gradient.
      mask: bool [B], false where a row has no image or no text.

    Returns:
      A float32 scalar, the negative of the lower bound; 0 with zero gradient when there is no
      matched pair or no negative.

    Raises:
      ValueError: shapes disagree.

    Reference: Belghazi et al., "Mutual Information Neural Estimation", arXiv:1801.04062,
    equations 10 and 12; for images and reports Liao et al., "Multimodal Representation Learning
    via Maximization of Local Mutual Information", arXiv:2103.04537.
    """
    scores, valid, negatives = _negatives(scores, negative_mask, mask)
    count = jnp.sum(negatives)
    some = jnp.any(valid) & (count > 0)
    # Without negatives the diagonal stands in, so that the logarithm stays finite.
    where = jnp.where(some, negatives, jnp.eye(len(valid), dtype=bool))
    batch = jax.nn.logsumexp(scores, where=where) - jnp.log(
        jnp.maximum(count, 1).astype(scores.dtype)
    )
    if log_mean is not None:
        batch = divided_by(log_mean, batch, scores, negatives)
    return jnp.where(some, batch - masked_mean(jnp.diagonal(scores), valid), 0.0)


def divided_by(
    log_mean: ScalarLike, batch: jax.Array, scores: jax.Array, negatives: jax.Array
) -> jax.Array:
    """The log-mean-exp `batch` of the negatives, whose gradient divides by another mean.

    Args:
      log_mean: scalar, the logarithm of that mean; it receives no gradient.
      batch: scalar, the value.
      scores: of any shape, real.
      negatives: bool of the same shape, over which `batch` is.
    """
    average = jax.lax.stop_gradient(real(log_mean))
    above = jnp.where(negatives, scores - average, -jnp.inf)
    corrected = jnp.sum(jnp.exp(above)) / jnp.maximum(jnp.sum(negatives), 1)
    return jax.lax.stop_gradient(batch - corrected) + corrected


def info_nce_loss(
    scores: Float[Array, "B B"],
    negative_mask: Mask[Array, "B B"] | Pairwise | None = None,
    *,
    mask: Mask[Array, " B"] | None = None,
) -> Float[jax.Array, ""]:
    """Mean over rows of the cross-entropy of the matched pair against it and its negatives.

    The release of Liao et al. pools the negatives of all anchors and leaves the matched pair
    out, which makes its gradient that of `donsker_varadhan_loss`; this is the bound of the paper.

    Args:
      scores: [B, B] of a critic, row i the anchor, matched pairs on the diagonal.
      negative_mask: bool [B, B], true where a pair off the diagonal is a negative.
      mask: bool [B], false where a row has no image or no text.

    Returns:
      A float32 scalar; 0 with zero gradient when no row is valid.

    Raises:
      ValueError: shapes disagree.

    Reference: van den Oord et al., "Representation Learning with Contrastive Predictive
    Coding", arXiv:1807.03748, equation 4.
    """
    scores, valid, negatives = _negatives(scores, negative_mask, mask)
    where = negatives | jnp.eye(len(valid), dtype=bool)
    normaliser = jax.nn.logsumexp(scores, axis=1, where=where)
    return masked_mean(normaliser - jnp.diagonal(scores), valid)


def symmetric_info_nce_loss(
    scores: Float[Array, "B B"],
    negative_mask: Mask[Array, "B B"] | Pairwise | None = None,
    *,
    mask: Mask[Array, " B"] | None = None,
) -> Float[jax.Array, ""]:
    """Half the sum of `info_nce_loss` over the rows and over the columns: CLIP's loss of given scores.

    Args:
      scores: [B, B], matched pairs on the diagonal, rows and columns the two sides of a pair.
      negative_mask: bool [B, B], true where a pair off the diagonal is a negative.
      mask: bool [B], false where a row has no image or no text.

    Returns:
      A float32 scalar; 0 with zero gradient when no row is valid.

    Raises:
      ValueError: shapes disagree.

    Reference: Lai et al., "CARZero: Cross-Attention Alignment for Radiology Zero-Shot
    Classification", CVPR 2024, arXiv:2402.17417, as its release computes it.
    """
    allowed = as_matrix(negative_mask)
    turned = None if allowed is None else jnp.asarray(allowed).T
    of_rows = info_nce_loss(scores, allowed, mask=mask)
    return 0.5 * (of_rows + info_nce_loss(jnp.asarray(scores).T, turned, mask=mask))


def _negatives(
    scores: Array, negative_mask: Array | Pairwise | None, mask: Array | None
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Scores without what is masked, valid rows, and the pairs that are negatives."""
    scores = jnp.asarray(scores)
    rows = scores.shape[0]
    check_matrix("scores", scores, rows)
    check_matrix("negative_mask", negative_mask, rows)
    check_rows(rows, mask)
    valid, own = valid_rows(rows, mask), jnp.eye(rows, dtype=bool)
    negatives = valid[:, None] & valid[None, :] & ~own
    allowed = as_matrix(negative_mask)
    if allowed is not None:
        negatives = negatives & allowed.astype(bool)
    counted = negatives | (own & valid[:, None])
    return real(jnp.where(counted, scores, 0.0)), valid, negatives
