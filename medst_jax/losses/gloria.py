# SPDX-License-Identifier: Apache-2.0
"""Word-region contrastive loss: each word looks at the image through its own attention (GLoRIA)."""

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float, ScalarLike

from medst_jax.array_types import Array, Mask
from medst_jax.losses.cross_entropy import candidate_pairs, cross_entropy
from medst_jax.losses.pairwise import Pairwise, as_matrix
from medst_jax.losses.shapes import check_matrix, masked_mean, norm, product, real, zero_invalid


def gloria_local_loss(
    words: Float[Array, "B W D"],
    patches: Float[Array, "B P D"],
    word_mask: Mask[Array, "B W"],
    *,
    word_temperature: ScalarLike = 4.0,
    pool_temperature: ScalarLike = 5.0,
    scale: ScalarLike = 10.0,
    negative_mask: Mask[Array, "B B"] | Pairwise | None = None,
) -> Float[jax.Array, ""]:
    """Cross-entropy over images plus that over texts of attention-pooled word-region cosines.

    For text i and image j the inner products of words and regions pass a softmax over the
    words, then, times `word_temperature`, one over the regions; a word's context is the regions'
    mean under it. The pair's similarity is the log of the sum over words of
    exp(pool_temperature * cosine(word, context)), its logit `scale` times that. Summing rather
    than averaging over words favours long texts by the log of their length, as released.

    Args:
      words: [B, W, D] raw word features.
      patches: [B, P, D] raw region features; row j belongs to text j.
      word_mask: bool [B, W], false at padding; a row without any word, or whose image is
        missing and which the caller masks, is neither an anchor nor a negative.
      word_temperature: scalar.
      pool_temperature: scalar.
      scale: scalar.
      negative_mask: bool [B, B], true where image i and text j may be negatives of each other; the
        diagonal is always the positive.

    Returns:
      A float32 scalar, the sum of two means over valid rows; 0 with zero gradient when no row
      has a word.

    Raises:
      ValueError: shapes disagree.

    Reference: Huang et al., "GLoRIA: A Multimodal Global-Local Representation Learning
    Framework", ICCV 2021, equations 2-6; the softmax over words comes from the release.
    """
    words, patches, word_mask, valid = valid_tokens(words, patches, word_mask)
    check_matrix("negative_mask", negative_mask, len(valid))
    temperatures = real(word_temperature), real(pool_temperature)
    logits_per_image = real(scale) * word_region_similarity(
        words, patches, word_mask, *temperatures
    )
    logits_per_text = logits_per_image.T
    matched = jnp.eye(len(valid), dtype=bool)
    candidates = candidate_pairs(matched, valid, valid, as_matrix(negative_mask))
    image_to_text = cross_entropy(logits_per_image, matched, candidates)
    text_to_image = cross_entropy(logits_per_text, matched.T, candidates.T)
    return masked_mean(image_to_text, valid) + masked_mean(text_to_image, valid)


def word_region_similarity(
    words: Float[Array, "c W D"],
    patches: Float[Array, "r P D"],
    word_mask: Bool[Array, "c W"],
    word_temperature: Float[jax.Array, ""],
    pool_temperature: Float[jax.Array, ""],
) -> Float[jax.Array, "r c"]:
    """Similarity of image r and text c, as `gloria_local_loss` describes it; finite where masked."""
    mask = some_words(word_mask)
    cosines = word_region_cosines(words, patches, mask, word_temperature)
    return jax.nn.logsumexp(pool_temperature * cosines, axis=2, where=mask[None])


def some_words(word_mask: Bool[Array, "c W"]) -> Bool[Array, "c W"]:
    """The mask; a text without words keeps them all, zero vectors: a softmax over nothing is NaN."""
    return word_mask | ~jnp.any(word_mask, axis=1, keepdims=True)


def word_region_cosines(
    words: Float[Array, "c W D"],
    patches: Float[Array, "r P D"],
    mask: Bool[Array, "c W"],
    word_temperature: Float[jax.Array, ""],
) -> Float[jax.Array, "r c W"]:
    """Of each word of text c with what it attends to in image r; of no meaning where masked."""
    words, patches = real(words), real(patches)
    scores = product("cwd,rpd->rcwp", words, patches)
    over_words = jax.nn.softmax(scores, axis=2, where=mask[None, :, :, None])
    attention = jax.nn.softmax(word_temperature * over_words, axis=3)
    context = product("rcwp,rpd->rcwd", attention, patches)
    inner = product("rcwd,cwd->rcw", context, words)
    norms = norm(words)[..., 0][None] * norm(context)[..., 0]
    return inner / jnp.maximum(norms, 1e-8)


def valid_tokens(
    words: Float[Array, "B W D"], patches: Float[Array, "B P D"], word_mask: Mask[Array, "B W"]
) -> tuple[
    Float[jax.Array, "B W D"],
    Float[jax.Array, "B P D"],
    Bool[jax.Array, "B W"],
    Bool[jax.Array, " B"],
]:
    """Words and patches with zeros where they do not count, the mask, and bool [B] of rows with a word.

    Raises:
      ValueError: shapes disagree.
    """
    check_local(words, patches, word_mask)
    word_mask = jnp.asarray(word_mask).astype(bool)
    valid = jnp.any(word_mask, axis=1)
    return zero_invalid(words, word_mask), zero_invalid(patches, valid), word_mask, valid


def check_local(words: Array, patches: Array, word_mask: Array) -> None:
    """Raise a ValueError unless shapes are [B, W, D], [B, P, D] and [B, W]."""
    if not (
        words.ndim == patches.ndim == 3
        and words.shape[::2] == patches.shape[::2]
        and word_mask.shape == words.shape[:2]
    ):
        raise ValueError(
            f"words {words.shape}, patches {patches.shape} and word_mask {word_mask.shape} must "
            "be [B, W, D], [B, P, D] and [B, W] with one B and one D"
        )
