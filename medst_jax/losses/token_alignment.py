# SPDX-License-Identifier: Apache-2.0
"""Alignment of words and patches inside each image-text pair (MGCA, Med-ST)."""

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float, ScalarLike

from medst_jax.array_types import Array, Mask
from medst_jax.losses.gloria import check_local
from medst_jax.losses.shapes import masked_mean, product, real, unit, zero_invalid

# Words, patches, both masks, both weights and the negatives among words, in the order of
# `token_alignment_loss`.
TokenArrays = tuple[Array, Array, Array, Array, Array, Array, Array | None]


def token_alignment_loss(
    words: Float[Array, "B W E"],
    patches: Float[Array, "B P E"],
    word_mask: Mask[Array, "B W"],
    patch_mask: Mask[Array, "B P"],
    word_weights: Float[Array, "B W"],
    patch_weights: Float[Array, "B P"],
    *,
    temperature: ScalarLike = 0.1,
    negative_mask: Mask[Array, "B W W"] | None = None,
) -> tuple[Float[jax.Array, ""], Float[jax.Array, ""]]:
    """Word and patch terms: a token must find its own attended vector among its text's (image's).

    Each word attends to the patches; the attended vector, of unit norm, is its positive, those
    of the text's other words are its negatives, in both directions. Patches likewise, with
    attended vectors as they come out of the attention. The releases let padding words compete
    in the word term, and Med-ST the patches of missing laterals in both; masked tokens here
    take no part.

    Args:
      words: [B, W, E] unit norm.
      patches: [B, P, E] unit norm.
      word_mask: bool [B, W], false at padding.
      patch_mask: bool [B, P], false for patches of a missing view.
      word_weights: [B, W], summing to 1 over each row's words; ignored where masked.
      patch_weights: [B, P], likewise.
      temperature: scalar, of the attention and of the cross-entropy.
      negative_mask: bool [B, W, W], true where words t and u of a text may be negatives of each
        other; the diagonal is always the positive.

    Returns:
      (word term, patch term), float32 scalars: means over the rows that have a word and a patch;
      0 with zero gradient when no row has.

    Raises:
      ValueError: shapes disagree.

    Reference: Wang et al., "Multi-Granularity Cross-modal Alignment for Generalized Medical
    Visual Representation Learning", arXiv:2210.06044, equations 4-6; Med-ST, "Unlocking the
    Power of Spatial and Temporal Information in Medical Multimodal Pre-training",
    arXiv:2405.19654, learns the weights.
    """
    arrays = (
        words,
        patches,
        word_mask,
        patch_mask,
        word_weights,
        patch_weights,
        negative_mask,
    )
    check_alignment(*arrays)
    word_terms, patch_terms = alignment_terms(*arrays, temperature=real(temperature))
    return mean_terms(word_terms, patch_terms, word_mask, patch_mask)


def alignment_terms(
    words: Float[Array, "B W E"],
    patches: Float[Array, "B P E"],
    word_mask: Mask[Array, "B W"],
    patch_mask: Mask[Array, "B P"],
    word_weights: Float[Array, "B W"],
    patch_weights: Float[Array, "B P"],
    negative_mask: Mask[Array, "B W W"] | None = None,
    *,
    temperature: Float[jax.Array, ""],
) -> tuple[Float[jax.Array, " B"], Float[jax.Array, " B"]]:
    """Both terms of every row, [B] each; arguments as of `token_alignment_loss`."""
    word_mask, patch_mask = (jnp.asarray(m).astype(bool) for m in (word_mask, patch_mask))
    words, word_weights = (real(zero_invalid(x, word_mask)) for x in (words, word_weights))
    patches, patch_weights = (real(zero_invalid(x, patch_mask)) for x in (patches, patch_weights))
    patches_of_words = unit(attended(words, patches, patch_mask, temperature))
    words_of_patches = attended(patches, words, word_mask, temperature)
    return (
        _weighted_cross_entropy(
            words, patches_of_words, word_mask, word_weights, negative_mask, temperature
        ),
        _weighted_cross_entropy(
            patches, words_of_patches, patch_mask, patch_weights, None, temperature
        ),
    )


def _weighted_cross_entropy(
    tokens: jax.Array,
    attended: jax.Array,
    mask: jax.Array,
    weights: jax.Array,
    negatives: Array | None,
    temperature: jax.Array,
) -> jax.Array:
    """Weighted cross-entropy [B] of tokens to their attended vectors, mean of both directions."""
    logits = product("bte,bue->btu", tokens, attended) / temperature
    own = jnp.eye(mask.shape[1], dtype=bool)
    candidates = mask[:, :, None] & mask[:, None, :]
    if negatives is not None:
        candidates &= jnp.asarray(negatives).astype(bool)
    candidates |= own
    both = sum(jax.nn.logsumexp(logits, axis, where=candidates) for axis in (2, 1))
    return jnp.sum(weights * (0.5 * both - jnp.diagonal(logits, axis1=1, axis2=2)), axis=1)


def attended(
    queries: Float[Array, "B Q E"],
    keys: Float[Array, "B K E"],
    mask: Bool[Array, "B K"],
    temperature: ScalarLike,
) -> Float[jax.Array, "B Q E"]:
    """Softmax-weighted means [B, Q, E] of keys [B, K, E] for queries [B, Q, E].

    Args:
      queries: [B, Q, E].
      keys: [B, K, E], finite where masked.
      mask: bool [B, K], which keys may be attended to.
      temperature: scalar that divides the inner products.
    """
    scores = product("bqe,bke->bqk", queries, keys) / temperature
    # A row without any key attends to zero vectors: a softmax over nothing is NaN.
    mask = mask | ~jnp.any(mask, axis=1, keepdims=True)
    return product("bqk,bke->bqe", jax.nn.softmax(scores, where=mask[:, None, :]), keys)


def mean_terms(
    word_terms: Float[jax.Array, " B"],
    patch_terms: Float[jax.Array, " B"],
    word_mask: Mask[Array, "B W"],
    patch_mask: Mask[Array, "B P"],
) -> tuple[Float[jax.Array, ""], Float[jax.Array, ""]]:
    """Means of both terms over the rows that have a word and a patch."""
    valid = jnp.any(word_mask, axis=1) & jnp.any(patch_mask, axis=1)
    return masked_mean(word_terms, valid), masked_mean(patch_terms, valid)


def check_alignment(
    words: Array,
    patches: Array,
    word_mask: Array,
    patch_mask: Array,
    word_weights: Array,
    patch_weights: Array,
    negative_mask: Array | None = None,
) -> None:
    """Raise a ValueError naming the arrays whose shapes disagree."""
    check_local(words, patches, word_mask)
    if word_weights.shape != word_mask.shape:
        raise ValueError(
            f"word_weights {word_weights.shape} must be [B, W] = {word_mask.shape} as word_mask"
        )
    if not patch_weights.shape == patch_mask.shape == patches.shape[:2]:
        raise ValueError(
            f"patch_mask {patch_mask.shape} and patch_weights {patch_weights.shape} must be "
            f"[B, P] = {patches.shape[:2]}"
        )
    square = (*word_mask.shape, word_mask.shape[1])
    if negative_mask is not None and negative_mask.shape != square:
        raise ValueError(f"negative_mask {negative_mask.shape} must be [B, W, W] = {square}")
