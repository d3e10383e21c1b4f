# SPDX-License-Identifier: Apache-2.0
"""Bounds on the mutual information of sentences and images, each by its best region.

A sentence's score with an image is the critic's highest over the image's regions, for the
matched image and for the negatives alike: `sum over m of max over n of I(x^n; y^m)`.

Reference: Liao et al., "Multimodal Representation Learning via Maximization of Local Mutual
Information", arXiv:2103.04537, equation 3. The release holds no local form; the choice to take
the maximum for negatives too is ours (else a random region stands for every other image, and
the bound rewards a critic that only knows how to take maxima).
"""

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float, ScalarLike

from medst_jax.array_types import Array
from medst_jax.losses.mutual_information import divided_by


def local_donsker_varadhan_loss(
    scores: Float[Array, "B M B"],
    sentence_mask: Bool[Array, "B M"],
    negative_mask: Bool[Array, "B B"] | None = None,
    *,
    log_mean: ScalarLike | None = None,
) -> Float[jax.Array, ""]:
    """Log-mean-exp over all negatives minus the mean over matched sentences.

    Args:
      scores: [B, M, B]: sentence m of text b against image i, the maximum over its regions.
      sentence_mask: bool [B, M], false where a text has no such sentence.
      negative_mask: bool [B, B], true where text b and image i are a negative; the diagonal is
        always the matched pair.
      log_mean: scalar, of the moving average over negatives; as in `donsker_varadhan_loss`.

    Returns:
      A float32 scalar; 0 with zero gradient when there is no sentence or no negative.

    Raises:
      ValueError: the shapes disagree.
    """
    values, matched, negatives = _select(scores, sentence_mask, negative_mask)
    positives = jnp.sum(matched)
    count = jnp.sum(negatives)
    some = (positives > 0) & (count > 0)
    # Without negatives something stands in, so that the logarithm stays finite.
    where = jnp.where(some, negatives, True)
    batch = jax.nn.logsumexp(values, where=where) - jnp.log(jnp.maximum(count, 1))
    if log_mean is not None:
        batch = divided_by(log_mean, batch, values, negatives)
    mean = jnp.sum(jnp.where(matched, values, 0.0)) / jnp.maximum(positives, 1)
    return jnp.where(some, batch - mean, 0.0)


def local_info_nce_loss(
    scores: Float[Array, "B M B"],
    sentence_mask: Bool[Array, "B M"],
    negative_mask: Bool[Array, "B B"] | None = None,
) -> Float[jax.Array, ""]:
    """Mean over sentences of the cross-entropy of their own image against it and its negatives.

    Args and errors as `local_donsker_varadhan_loss`; 0 with zero gradient without a sentence.
    """
    values, matched, negatives = _select(scores, sentence_mask, negative_mask)
    known = jnp.any(matched, axis=2)
    # An absent sentence keeps its zeroed scores, so that its logarithm stays finite.
    where = negatives | matched | ~known[..., None]
    own = jnp.sum(jnp.where(matched, values, 0.0), axis=2)
    losses = jnp.where(known, jax.nn.logsumexp(values, axis=2, where=where) - own, 0.0)
    return jnp.sum(losses) / jnp.maximum(jnp.sum(known), 1)


def local_negatives(
    sentence_mask: Bool[Array, "B M"], negative_mask: Bool[Array, "B B"] | None = None
) -> Bool[jax.Array, "B M B"]:
    """Which sentence and image are a negative of the two bounds, bool [B, M, B]; args as there."""
    sentence_mask = jnp.asarray(sentence_mask)
    own = jnp.eye(len(sentence_mask), dtype=bool)
    allowed = ~own if negative_mask is None else ~own & negative_mask
    # An image without any sentence of its own has no study here to be another's negative.
    allowed &= jnp.any(sentence_mask, axis=1)[None, :]
    return sentence_mask[:, :, None] & allowed[:, None, :]


def _select(
    scores: Array, sentence_mask: Array, negative_mask: Array | None
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Scores without what is masked, the matched pairs, and the negatives, all [B, M, B]."""
    rows = scores.shape[0]
    if scores.ndim != 3 or scores.shape[2] != rows or sentence_mask.shape != scores.shape[:2]:
        raise ValueError(
            f"scores are {scores.shape} and sentence_mask {sentence_mask.shape}; they must be "
            "[B, M, B] and [B, M]"
        )
    if negative_mask is not None and negative_mask.shape != (rows, rows):
        raise ValueError(f"negative_mask is {negative_mask.shape}; it must be [{rows}, {rows}]")
    matched = jnp.asarray(sentence_mask)[:, :, None] & jnp.eye(rows, dtype=bool)[:, None, :]
    negatives = local_negatives(sentence_mask, negative_mask)
    values = scores.astype(jnp.promote_types(scores.dtype, jnp.float32))
    return jnp.where(matched | negatives, values, 0.0), matched, negatives
