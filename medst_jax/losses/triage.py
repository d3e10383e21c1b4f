# SPDX-License-Identifier: Apache-2.0
"""Contrastive loss whose pairs are sorted by the likeness of their reports (SAT)."""

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float, ScalarLike

from medst_jax.array_types import Array, Mask
from medst_jax.losses.pairwise import Pairwise, as_matrix
from medst_jax.losses.shapes import check_matrix, masked_mean, real, similarities, valid_pairs


def triage_loss(
    image: Float[Array, "B E"],
    text: Float[Array, "B E"],
    scale: ScalarLike,
    likeness: Float[Array, "B B"] | Pairwise,
    *,
    high: float,
    low: float,
    image_weight: float = 0.5,
    mask: Mask[Array, " B"] | None = None,
) -> Float[jax.Array, ""]:
    """Mean over anchors of what each of their positives loses against their negatives.

    Pairs of reports more alike than `high` are positives, those at most as alike as `low` negatives,
    and the rest neutral: they stand in nobody's denominator. A positive competes with the negatives
    alone, not with other positives: its term is softplus(log sum exp of the negatives - its logit).

    Args:
      image: [B, E] unit-norm image embeddings.
      text: [B, E] unit-norm text embeddings.
      scale: scalar by which cosines are multiplied, 10 in the release.
      likeness: symmetric [B, B], how alike the reports of two rows are; no gradient. A row is
        always a positive of its own.
      high: above it pairs are positives.
      low: up to it pairs are negatives; at most `high`.
      image_weight: scalar in [0, 1], the weight of images as anchors; texts have the rest.
      mask: bool [B], false where a row has no image or no text.

    Returns:
      A float32 scalar; an anchor without negatives counts as 0, and the loss is 0 with zero
      gradient when no row is valid.

    Raises:
      ValueError: shapes disagree, or `low` is above `high`.

    Reference: Liu et al., "Improving Medical Vision-Language Contrastive Pretraining with
    Semantics-aware Triage", IEEE TMI 2023, equations 5-8. The release divides each term once more by the
    number of its anchor's negatives and one; this does not.
    """
    image, text, valid = valid_pairs(image, text, mask)
    check_triage(likeness, len(valid), high, low)
    logits = real(scale) * similarities(image, text)
    alike = jax.lax.stop_gradient(real(as_matrix(likeness)))
    own = jnp.eye(len(valid), dtype=bool)
    both = valid[:, None] & valid[None, :]
    positives, negatives = sort_pairs(alike, own, both, high, low)
    of_images = _anchors(logits, positives, negatives)
    of_texts = _anchors(logits.T, positives.T, negatives.T)
    return masked_mean(image_weight * of_images + (1.0 - image_weight) * of_texts, valid)


def sort_pairs(
    alike: Float[jax.Array, "r c"],
    own: Bool[Array, "r c"],
    both: Bool[Array, "r c"],
    high: float,
    low: float,
) -> tuple[Bool[jax.Array, "r c"], Bool[jax.Array, "r c"]]:
    """Positives and negatives, bool [r, c].

    Args:
      alike: [r, c], likeness of reports.
      own: bool [r, c], row and column of one example.
      both: bool [r, c], row and column both count.
      high, low: see `triage_loss`.
    """
    positives = ((alike > high) | own) & both
    return positives, (alike <= low) & both & ~positives


def check_triage(likeness: Array | Pairwise, rows: int, high: float, low: float) -> None:
    """Raise a ValueError unless `likeness` is [B, B] and the limits are in order."""
    check_matrix("likeness", likeness, rows)
    if low > high:
        raise ValueError(
            f"low is {low} and high {high}: negatives are less alike than positives, so low must "
            "be at most high"
        )


def _anchors(logits: jax.Array, positives: jax.Array, negatives: jax.Array) -> jax.Array:
    """What each row's positives lose, their mean [r]."""
    some = jnp.any(negatives, axis=1, keepdims=True)
    # A row without negatives takes all pairs, so that its log-sum-exp is finite, and counts as 0.
    total = jax.nn.logsumexp(logits, axis=1, keepdims=True, where=negatives | ~some)
    terms = jnp.where(positives & some, jax.nn.softplus(total - logits), 0.0)
    return jnp.sum(terms, axis=1) / jnp.maximum(jnp.sum(positives, axis=1), 1)
